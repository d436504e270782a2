"""No spelling of a request leads to another route than the one that its decoded path selects."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from urllib.parse import unquote_to_bytes

import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import BackendName, ExactPath, ForwardTo, PathMatch, PrefixPath, RegexPath
from tests.support.models import backend, endpoint, host, model, route

Rules = Sequence[tuple[PathMatch, str]]

RULES: dict[str, Rules] = {
    "plain.example": (
        (PrefixPath(""), "root"),
        (PrefixPath("/a"), "prefix"),
        (ExactPath("/a"), "exact"),
        (ExactPath("/a/"), "exact-slash"),
        (PrefixPath("/a/b"), "longer"),
        (PrefixPath("/a?b"), "question"),
        (PrefixPath("/a b"), "blank"),
        (PrefixPath("/%"), "percent"),
        (PrefixPath("/\u00e9"), "accent"),
    ),
    "folded.example": (
        (RegexPath("/a(/|$)(.*)"), "below"),
        (RegexPath("/b/"), "slash"),
        (RegexPath("/"), "folded-root"),
    ),
    "repeating.example": (
        (RegexPath("/guarded((?:[a-z]|/)*)$"), "guarded"),
        (RegexPath("/.*"), "open"),
    ),
    "regex.example": (
        (RegexPath("/a/(b|%)/?$"), "end"),
        (RegexPath(r"/a\?.*"), "regex-question"),
        (RegexPath("/a b"), "regex-blank"),
        (RegexPath("/[ab]/"), "class"),
        (RegexPath("/."), "any"),
    ),
}
PIECES = (
    *(b"/", b"/", b"/", b"a", b"a", b"b", b"A", b".", b"..", b"/../", b"%2e", b"%2f", b"%2F", b"%3F", b"%3f", b"%23", b"%25"),
    *(b"%20", b"%61", b"%C3%A9", b"%5c", b"%252e", b"%252f", b"%", b"%z", b"%00", b"%0a", b"\\", b";", b"!", b"+", b"?"),
)


def decoded(path: bytes) -> bytes | None:
    """The path that rules are compared with, as nginx makes it; None for what is refused."""
    if re.search(rb"%(?![0-9a-fA-F]{2})", path):
        return None
    plain = unquote_to_bytes(path)
    if re.search(rb"[\x00-\x1f\x7f]", plain):
        return None
    elements: list[bytes] = []
    for element in re.sub(rb"/+", b"/", plain).split(b"/")[1:]:
        if element == b"..":
            elements = elements[:-1]
        if element not in (b".", b".."):
            elements.append(element)
    if element in (b".", b".."):
        elements.append(b"")
    return b"/" + b"/".join(elements)


def selected(rules: Rules, target: bytes) -> str:
    """Whom a request is for: a pod's name or a status."""
    path = decoded(target.partition(b"?")[0])
    if path is None:
        return "400"
    prefixes = {}
    for match, pod in rules:
        if isinstance(match, RegexPath) and re.match(match.pattern.encode(), path, re.IGNORECASE):
            return pod
        if isinstance(match, ExactPath) and match.path.encode() == path:
            return pod
        if isinstance(match, PrefixPath) and (path + b"/").startswith(match.path.encode() + b"/"):
            prefixes[len(match.path)] = pod
    return prefixes[max(prefixes)] if prefixes else "404"


@pytest.fixture
async def ports() -> AsyncIterator[dict[str, int]]:
    """Pods that answer anything with their name and the target that they were sent."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in (pod for rules in RULES.values() for _, pod in rules):

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name) -> None:
                target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
                body = name.encode() + b" " + target
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                writer.close()

            server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
            found[name] = server.sockets[0].getsockname()[1]
        yield found


async def asked(settings: ProxySettings, head: bytes) -> tuple[str, bytes]:
    """Who answered a request (a pod or a status), and the target that the pod was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.http_port)
    writer.write(head + b"\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    status, body = answer[9:12].decode(), answer.partition(b"\r\n\r\n")[2]
    name, _, target = body.partition(b" ")
    return (name.decode(), target) if status == "200" else (status, b"")


async def serve(executor: Executor, settings: ProxySettings, ports: dict[str, int]) -> None:
    hosts = [
        host(*(route(match, ForwardTo(BackendName(pod)), host=name) for match, pod in rules), name=name)
        for name, rules in RULES.items()
    ]
    backends = [backend(endpoint(pod, port), name=BackendName(pod)) for pod, port in ports.items()]
    outcome = await executor.apply(Configurator(settings).configure(model(hosts, backends)))
    assert not outcome.error


async def test_no_path_is_too_long_for_the_pattern_that_guards_it(
    executor: Executor, proxy_settings: ProxySettings, ports: dict[str, int]
) -> None:
    await serve(executor, proxy_settings, ports)
    for length in (10, 400, 900, 3900, 7900):
        for element in (b"/a", b"a", b"/%61"):
            path = b"/guarded" + element * (length // len(element))
            pod, _ = await asked(proxy_settings, b"GET %s HTTP/1.1\r\nHost: repeating.example" % path)
            assert pod == ("400" if len(decoded(path) or b"") > 1000 else "guarded")


CASES = [
    *(b"/a%3F/../a/b", b"/x%3F/../a/b", b"/a%3fb", b"/a%3Fb/c", b"/a/%zz", b"/a/%", b"/%zz/a", b"/a%23/../a/b", b"/a%00"),
    *(b"/b", b"/b/", b"/B/x", b"/a%2f..%2fa%2Fb", b"/%2E%2E/a", b"/a/..;/b", b"/a%252e%252e/b", b"/..\\a", b"//a//b"),
]


async def test_every_spelling_of_a_path_finds_the_route_of_the_decoded_path(
    executor: Executor, proxy_settings: ProxySettings, ports: dict[str, int]
) -> None:
    await serve(executor, proxy_settings, ports)
    chance = random.Random(20)
    made = [b"/" + b"".join(chance.choices(PIECES, k=chance.randint(0, 7))) for _ in range(400)]
    wrong = []
    for target in (*CASES, *made):
        for name, rules in RULES.items():
            pod, sent = await asked(proxy_settings, b"GET %s HTTP/1.1\r\nHost: %s" % (target, name.encode()))
            if pod != selected(rules, target) or (sent and sent != target):
                wrong.append((name, target, pod, selected(rules, target), sent))
    assert wrong == []


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("head", "pod"),
    [
        (b"GET /a/b HTTP/1.1\r\nHost: plain.example:80", "longer"),
        (b"GET /a/b HTTP/1.1\r\nHost: PLAIN.example.", "longer"),
        (b"GET http://plain.example/a/../a/b HTTP/1.1\r\nHost: plain.example", "longer"),
        (b"GET http://plain.example/a/b HTTP/1.1\r\nHost: other.example", "400"),
        (b"GET /a/b HTTP/1.1\r\nHost: plain.example\r\nHost: other.example", "400"),
        (b"GET /b HTTP/1.1\r\nHost: plain.example/a", "400"),
        (b"GET /a/b HTTP/1.0", "404"),
    ],
)
async def test_every_spelling_of_a_host_is_that_host_or_refused(
    executor: Executor, proxy_settings: ProxySettings, ports: dict[str, int], head: bytes, pod: str
) -> None:
    await serve(executor, proxy_settings, ports)
    assert (await asked(proxy_settings, head))[0] == pod
