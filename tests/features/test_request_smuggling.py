"""No request that can be read in two ways arrives as two, and none comes past a guard that way: RFC 9112, section 11.2."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    Access,
    BackendName,
    ConstantPath,
    Cors,
    ExternalAuth,
    ForwardTo,
    Login,
    Mirror,
    PrefixPath,
    ReplacePath,
    Route,
    Scheme,
)
from remora.snippets.read import Context, read_snippet
from tests.support.http2 import Http2Client
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: web.example\r\nX-Granted: yes\r\n\r\n"
"""The request inside of another, which is nobody's."""

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.([01])")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")


class Unclear(Exception):
    """What was sent is no HTTP by the letter."""


class StrictPod:
    """Reads by the letter of RFC 9112, answers 200, and keeps connections."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.faults: list[tuple[str, bytes]] = []
        self.port = 0
        self.status = b"200 OK"
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = self._read_head(head)
                await self._read_body(reader, fields)
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % self.status)
                await writer.drain()
                if b"close" in fields.get(b"connection", ()):
                    return
        except asyncio.IncompleteReadError as error:
            # Between two requests nothing may be left; within a body the client may have gone.
            if error.expected is None and error.partial:
                self.faults.append(("rest", error.partial))
        except ConnectionError:
            pass
        except (Unclear, ValueError) as error:
            self.faults.append((str(error), head))
        finally:
            writer.close()

    def _read_head(self, head: bytes) -> dict[bytes, list[bytes]]:
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        found = _REQUEST_LINE.fullmatch(first)
        if not found:
            raise Unclear(f"no request line: {first!r}")
        self.targets.append(found[2])
        fields: dict[bytes, list[bytes]] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                raise Unclear(f"no header: {line!r}")
            fields.setdefault(name.lower(), []).append(value.strip(b" \t"))
        if len(fields.get(b"host", ())) != 1:
            raise Unclear("not one Host")
        if found[3] == b"0":
            if b"transfer-encoding" in fields:
                raise Unclear("a coding that 1.0 does not know")
            if b"keep-alive" not in fields.get(b"connection", ()):
                fields[b"connection"] = [b"close"]
        return fields

    async def _read_body(self, reader: asyncio.StreamReader, fields: dict[bytes, list[bytes]]) -> None:
        lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
        if lengths and codings:
            raise Unclear("a length and a coding")
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]+", lengths[0])):
            raise Unclear(f"lengths {lengths}")
        if codings and codings != [b"chunked"]:
            raise Unclear(f"codings {codings}")
        if lengths:
            await reader.readexactly(int(lengths[0]))
        while codings:
            size = (await reader.readuntil(b"\r\n"))[:-2]
            if not re.fullmatch(rb"[0-9A-Fa-f]+", size):
                raise Unclear(f"a chunk of {size!r}")
            if int(size, 16) == 0:
                return await self._read_trailers(reader)
            if (await reader.readexactly(int(size, 16) + 2))[-2:] != b"\r\n":
                raise Unclear("a chunk that is longer than it says")

    async def _read_trailers(self, reader: asyncio.StreamReader) -> None:
        while line := (await reader.readuntil(b"\r\n"))[:-2]:
            if not _TOKEN.fullmatch(line.partition(b":")[0]):
                raise Unclear(f"a trailer {line!r}")


CHUNKED_HIDDEN = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
AS_CHUNKS = b"0\r\n\r\n" + HIDDEN
"""A body that ends at once for whoever reads chunks, and holds a request for whoever counts bytes."""


def post(
    *headers: bytes, body: bytes = AS_CHUNKS, line: bytes = b"POST %s HTTP/1.1", first: bytes = b"Host: web.example"
) -> bytes:
    return b"\r\n".join((line, first, *headers, b"", body))


LENGTH = b"Content-Length: %d" % len(AS_CHUNKS)
HUGE = b"Content-Length: %d" % (len(AS_CHUNKS) + 20)
CODING = b"Transfer-Encoding: chunked"

WITH_A_BODY = {
    # Whatever it is taken for, the hidden request is within its body.
    "length": post(LENGTH),
    "chunks": post(CODING, body=CHUNKED_HIDDEN),
    "chunk extensions": post(CODING, body=b'%x;a="\r\n' % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "trailers": post(CODING, body=CHUNKED_HIDDEN[:-2] + b"Content-Length: 9\r\nX: y\r\n\r\n"),
    "the same length twice": post(LENGTH, LENGTH),
    "a list of the same length": post(LENGTH + b", %d" % len(AS_CHUNKS)),
    "waits for 100": post(b"Expect: 100-continue", LENGTH),
    "a GET with a body": post(LENGTH, line=b"GET %s HTTP/1.1"),
    "1.0 with a length": post(LENGTH, b"Connection: keep-alive", line=b"POST %s HTTP/1.0"),
    "upgrade": post(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", LENGTH
    ),
    "hop by hop": post(b"Connection: close, Content-Length", LENGTH),
    "hop by hop coding": post(b"Connection: Transfer-Encoding", CODING, body=CHUNKED_HIDDEN),
    "override": post(b"X-HTTP-Method-Override: HEAD", LENGTH),
}
AMBIGUOUS = {
    # Two readers may disagree; only a refusal, or a form that all read alike, may go on.
    "length and coding": post(LENGTH, CODING),
    "coding and length": post(CODING, LENGTH),
    "length 0 and coding": post(b"Content-Length: 0", CODING, body=CHUNKED_HIDDEN),
    "small length and coding": post(b"Content-Length: 4", CODING, body=CHUNKED_HIDDEN),
    "two lengths": post(LENGTH, b"Content-Length: 5"),
    "two lengths, small first": post(b"Content-Length: 5", LENGTH),
    "a list of lengths": post(b"Content-Length: 5, %d" % len(AS_CHUNKS)),
    "an empty length": post(b"Content-Length:"),
    "a length with a sign": post(b"Content-Length: +%d" % len(AS_CHUNKS)),
    "a negative length": post(b"Content-Length: -1"),
    "a hexadecimal length": post(b"Content-Length: 0x5"),
    "a length with a blank": post(b"Content-Length: 5 5"),
    "a length with a point": post(b"Content-Length: 5.0"),
    "a length beyond all numbers": post(b"Content-Length: 18446744073709551621"),
    "a length in other digits": post(b"Content-Length: \xd9\xa5"),
    "a blank before the colon": post(b"Content-Length : %d" % len(AS_CHUNKS)),
    "a tab before the colon": post(b"Transfer-Encoding\t: chunked", LENGTH),
    "a vertical tab": post(b"Transfer-Encoding:\x0bchunked", LENGTH),
    "a form feed": post(b"Transfer-Encoding: chunked\x0c", LENGTH),
    "NUL in a name": post(b"Content-Length\x00: 5", LENGTH),
    "NUL in a value": post(b"Transfer-Encoding: chunked\x00", LENGTH),
    "a name in quotes": post(b'"Transfer-Encoding": chunked', LENGTH),
    "an underscore": post(b"Content_Length: 5", b"Transfer_Encoding: chunked", LENGTH),
    "odd case": post(b"tRANSFER-eNCODING: cHUNKED", LENGTH),
    "another coding": post(b"Transfer-Encoding: xchunked", LENGTH),
    "identity": post(b"Transfer-Encoding: identity", LENGTH),
    "identity, chunked": post(b"Transfer-Encoding: identity, chunked", LENGTH),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity", LENGTH),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", LENGTH),
    "chunked twice": post(CODING, CODING, LENGTH),
    "chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", LENGTH),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"', LENGTH),
    "chunked with a parameter": post(b"Transfer-Encoding: chunked;q=0", LENGTH),
    "no coding": post(b"Transfer-Encoding:", LENGTH),
    "a comma": post(b"Transfer-Encoding: ,chunked,", LENGTH),
    "folded coding": post(b"Transfer-Encoding:\r\n chunked", LENGTH),
    "folded nothing": post(b"X: y\r\n Transfer-Encoding: chunked", LENGTH),
    "a header that begins with a blank": post(b" Transfer-Encoding: chunked", LENGTH),
    "a first header with a blank": post(LENGTH, first=b" Host: web.example"),
    "bare LF": post(b"X: y\nTransfer-Encoding: chunked", LENGTH),
    "bare CR": post(b"X: y\rTransfer-Encoding: chunked", LENGTH),
    "bare CR before a header": post(b"X: y\r\n\rTransfer-Encoding: chunked", LENGTH),
    "an early end by LF": post(b"X: y\n\n" + HIDDEN[:-4]),
    "a line without a colon": post(b"Transfer-Encoding chunked", LENGTH),
    "no name": post(b": chunked", LENGTH),
    "a coding in 1.0": post(CODING, line=b"POST %s HTTP/1.0"),
    "a coding and a length in 1.0": post(CODING, LENGTH, b"Connection: keep-alive", line=b"POST %s HTTP/1.0"),
    "two blanks in the first line": post(LENGTH, line=b"POST  %s HTTP/1.1"),
    "a tab in the first line": post(LENGTH, line=b"POST\t%s\tHTTP/1.1"),
    "a third word": post(LENGTH, line=b"POST %s /hidden HTTP/1.1"),
    "another version": post(LENGTH, line=b"POST %s HTTP/1.2"),
    "a version with zeros": post(LENGTH, line=b"POST %s HTTP/01.1"),
    "HTTP/2.0": post(LENGTH, line=b"POST %s HTTP/2.0"),
    "HTTP/0.9": b"GET %s\r\n" + HIDDEN,
    "an odd method": post(LENGTH, line=b"GET\x00 %s HTTP/1.1"),
    "a method in lower case": post(LENGTH, line=b"get %s HTTP/1.1"),
    "two hosts": post(b"Host: other.example", LENGTH),
    "a list of hosts": post(LENGTH, first=b"Host: web.example, other.example"),
    "no host": post(LENGTH, first=b"X: y"),
    "a host with a path": post(LENGTH, first=b"Host: web.example/hidden?"),
    "a host with a blank": post(LENGTH, first=b"Host: web.example /hidden"),
    "a host with a user": post(LENGTH, first=b"Host: a@web.example"),
    "another host in the target": post(LENGTH, line=b"POST http://other.example%s HTTP/1.1"),
    "a user in the target": post(LENGTH, line=b"POST http://web.example@other.example%s HTTP/1.1"),
    "an authority alone": post(LENGTH, line=b"CONNECT web.example:80%s HTTP/1.1"),
    "a star": post(LENGTH, line=b"OPTIONS *%s HTTP/1.1"),
    "a fragment": post(LENGTH, line=b"POST %s#/hidden HTTP/1.1"),
    "a target with CR": post(LENGTH, line=b"POST %s\r HTTP/1.1"),
    "a target with bytes": post(LENGTH, line=b"POST %s\xff\x80 HTTP/1.1"),
    "a chunk with a sign": post(CODING, body=b"+%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk with 0x": post(CODING, body=b"0x%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk with a blank": post(CODING, body=b" %x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk with a blank behind": post(CODING, body=b"%x \r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk of nothing": post(CODING, body=b"\r\n" + HIDDEN),
    "a negative chunk": post(CODING, body=b"-1\r\n" + HIDDEN),
    "a chunk beyond all numbers": post(CODING, body=b"fffffffffffffffff\r\n" + HIDDEN),
    "a chunk that wraps": post(CODING, body=b"100000000%08x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "chunks that end by LF": post(CODING, body=b"%x\n" % len(HIDDEN) + HIDDEN + b"\n0\n\n"),
    "a chunk extension with LF": post(CODING, body=b"2;\nxx\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk extension with CR": post(CODING, body=b"2;\rxx\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"),
    "a chunk that is too short": post(CODING, body=b"2\r\nabcd\r\n0\r\n\r\n"),
    "a chunk with another end": post(CODING, body=b"2\r\nabXX0\r\n\r\n"),
}
"""%s is the path of the route; what follows the head is never a request of its own, or else the first is refused."""

ROUTES = ("plain", "rich", "rewritten", "guarded", "asked", "refused", "barred", "mirrored", "small", "snippet", "closed")
CLOSED = ("guarded", "refused", "barred")
"""Those that let none of these requests in."""


def _routes(mirror: int) -> list[Route]:
    def at(name: str, action: ForwardTo = ForwardTo(NAME), **policies: Any) -> Route:  # noqa: B008 - frozen
        return route(PrefixPath(f"/{name}"), action, **policies)

    password = "{SHA}" + base64.b64encode(hashlib.sha1(b"b").digest()).decode()
    cors = Cors(None, "GET", "X", credentials=False, expose_headers="", max_age=1)
    steps = read_snippet('proxy_set_header X-A "$request_uri";\nadd_header X-B $arg_a;', Context.LOCATION, ()).steps
    copied = Mirror(f"http://127.0.0.1:{mirror}$request_uri", "web.example")
    return [
        at("plain"),
        at("rich", cors=cors),
        at("rewritten", ForwardTo(NAME, rewrite=ReplacePath("/rewritten(/|$)(.*)", "/rewritten/to/$2"))),
        at("guarded", access=Access(login=Login(Scheme.BASIC, "r", (("a", password),)))),
        at("asked", external_auth=ExternalAuth(backend=BackendName("yes"), host="auth.example", target=("/ask",))),
        at("refused", external_auth=ExternalAuth(backend=BackendName("no"), host="auth.example", target=("/ask",))),
        at("barred", access=Access(deny=("127.0.0.0/8",))),
        at("mirrored", ForwardTo(NAME, mirror=copied)),
        at("small", body_limit=10),
        at("snippet", snippet=steps),
        at("closed", ForwardTo(NAME, rewrite=ConstantPath("/closed/x"), closes_connection=True)),
    ]


class Site:
    def __init__(self, settings: ProxySettings, pods: dict[str, StrictPod]) -> None:
        self.settings = settings
        self.pods = pods

    @property
    def pod(self) -> StrictPod:
        return self.pods["pod"]

    async def send(self, data: bytes) -> bytes:
        """What comes back until the connection is closed, or silent for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.settings.http_port)
        writer.write(data)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while part := await asyncio.wait_for(reader.read(65536), 0.5):
                answer += part
        writer.close()
        return answer


@pytest.fixture
async def site(executor: Executor, proxy_settings: ProxySettings) -> AsyncIterator[Site]:
    pods = {name: StrictPod() for name in ("pod", "yes", "no", "mirror")}
    pods["no"].status = b"401 Unauthorized"
    for pod in pods.values():
        await pod.start()
    backends = [backend(endpoint("a", pods["pod"].port))]
    backends += [backend(endpoint(name, pods[name].port), name=BackendName(name)) for name in ("yes", "no")]
    wanted = model([host(*_routes(pods["mirror"].port))], backends)
    outcome = await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert not outcome.error
    yield Site(proxy_settings, pods)
    for pod in pods.values():
        pod.stop()


def batched(names: list[str]) -> list[tuple[str, ...]]:
    """Those that share a proxy; what a pod took for a fault names its request."""
    return [tuple(names[at : at + 16]) for at in range(0, len(names), 16)]


def _arrived(site: Site) -> set[str]:
    return {target.decode("latin-1").split("/")[1].split("?")[0].split("#")[0] for target in site.pod.targets}


def _assert_held(site: Site) -> None:
    for name, pod in site.pods.items():
        assert (name, pod.faults) == (name, [])
        assert not [target for target in pod.targets if b"hidden" in target and not target.startswith((b"/plain#",))]
    assert _arrived(site).isdisjoint(CLOSED)


@pytest.mark.one_haproxy
@pytest.mark.parametrize("names", batched([*WITH_A_BODY, *AMBIGUOUS]))
async def test_no_request_arrives_as_two(names: tuple[str, ...], site: Site) -> None:
    table = WITH_A_BODY | AMBIGUOUS
    paths = [b"/" + one.encode() for one in ROUTES]
    await asyncio.gather(*(site.send(table[name].replace(b"%s", path)) for name in names for path in paths))
    _assert_held(site)


async def test_each_route_passes_or_refuses_what_nobody_can_read_in_two_ways(site: Site) -> None:
    """So that the others do not hold for want of a pod."""
    ask = b"GET /%s HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n"
    answers = {one: await site.send(ask % one.encode()) for one in ROUTES}
    refusals = {"guarded": "401", "refused": "401", "barred": "403"}
    assert {one: answer[9:12].decode() for one, answer in answers.items()} == dict.fromkeys(ROUTES, "200") | refusals
    assert _arrived(site) == set(ROUTES) - set(CLOSED)
    assert site.pod.faults == []


@pytest.mark.parametrize(
    "body",
    [post(LENGTH), post(CODING, body=CHUNKED_HIDDEN), post(b"Expect: 100-continue", LENGTH)],
    ids=["length", "chunks", "100"],
)
@pytest.mark.one_haproxy
@pytest.mark.parametrize("name", ["guarded", "refused", "barred", "small", "nowhere"])
async def test_the_body_of_a_refused_request_is_no_request(name: str, body: bytes, site: Site) -> None:
    """It is read to its end, or the connection is closed; what comes behind it may be answered or not."""
    first = body.replace(b"%s", b"/small/" if name == "small" else b"/" + name.encode())
    behind = b"GET /guarded/behind HTTP/1.1\r\nHost: web.example\r\n\r\nGET /plain/last HTTP/1.1\r\nHost: web.example\r\n\r\n"
    other = b"GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n"
    for data in (
        first + behind,
        first.replace(b"/nowhere", b"/plain") + behind,
        other % (b"plain", b"none.example") + first + behind,
    ):
        answer = await site.send(data)
        assert len(re.findall(rb"HTTP/1\.1 200", answer)) <= 2 + len(re.findall(rb"HTTP/1\.1 404", answer))
    _assert_held(site)


BESIDE = (
    *("/plain/../guarded", "/plain/..%2fguarded", "/plain/%2e%2e/guarded", "/plain/.%2e/guarded/x", "//guarded", "/./guarded"),
    *("/%67uarded", "/guarded;x", "/guarded/;x", "/guarded%2Fx", "/guarded%2fx", "/guarded//x", "/guarded/./x", "/guarded/"),
    *(
        "/guarded%3Fx",
        "/guarded?",
        "/guarded?/../plain",
        "/guarded/..;/plain",
        "/guarded/x/../y",
        "/guarded/%2e",
        "/plain/..//guarded",
    ),
    *(
        "/plain/%2E%2E%2Fguarded",
        "/guarded%23",
        "/guarded%20",
        "/guarded%00",
        "/guarded%0a",
        "/guarded\\x",
        "/plain\\..\\guarded",
    ),
    *(
        "/guarded/%252e%252e/plain",
        "/guarded%252Fx",
        "/plain/%252e%252e/guarded",
        "/GUARDED",
        "/guarded.",
        "/guarded%2e",
        "/plain/..;/guarded",
    ),
    *(
        "http://web.example/guarded",
        "http://web.example//guarded",
        "HTTP://WEB.EXAMPLE:80/guarded",
        "http://web.example/plain/../guarded",
    ),
)


@pytest.mark.parametrize("first", [b"Host: web.example", b"Host: WEB.EXAMPLE", b"Host: web.example:80", b"Host: web.example."])
async def test_no_spelling_that_a_pod_resolves_to_a_guarded_path_comes_past_the_guard(first: bytes, site: Site) -> None:
    ask = b"GET %s HTTP/1.1\r\n" + first + b"\r\nConnection: close\r\n\r\n"
    await asyncio.gather(*(site.send(ask.replace(b"%s", one.encode())) for one in BESIDE))
    for target in site.pod.targets:
        path = re.sub(r"^https?://[^/]*", "", target.decode().partition("?")[0], flags=re.IGNORECASE)
        assert _resolved(path) not in ("guarded",), target
    assert site.pod.faults == []


def _resolved(path: str) -> str:
    """The first element of a path as pods resolve it: decoded once, slashes merged, dots resolved."""
    elements: list[str] = []
    for element in re.sub("/+", "/", unquote(path)).split("/")[1:]:
        if element == "..":
            elements = elements[:-1]
        elif element != ".":
            elements.append(element)
    return elements[0] if elements else ""


_HEADERS = {b":method": b"POST", b":scheme": b"http", b":authority": b"web.example"}
_CRLF = b"x\r\n\r\n" + HIDDEN
OVER_HTTP2: dict[str, list[tuple[bytes, bytes]]] = {
    # In HTTP/1.1 they would be lines of their own, or say where a body ends.
    "an end of lines in a value": [(b"x-a", _CRLF)],
    "LF in a value": [(b"x-a", b"x\n\n" + HIDDEN)],
    "NUL in a value": [(b"x-a", b"x\x00y")],
    "an end of lines in a name": [(b"x-a: b\r\ntransfer-encoding", b"chunked")],
    "a colon in a name": [(b"transfer-encoding: chunked\r\nx", b"y")],
    "a blank in a name": [(b"transfer-encoding ", b"chunked")],
    "a name in upper case": [(b"Transfer-Encoding", b"chunked")],
    "no name": [(b"", b"x")],
    "a coding": [(b"transfer-encoding", b"chunked")],
    "a connection": [(b"connection", b"content-length")],
    "an upgrade": [(b"upgrade", b"h2c"), (b"connection", b"upgrade")],
    "a length that is too small": [(b"content-length", b"0")],
    "a length that is too large": [(b"content-length", b"5000")],
    "two lengths": [(b"content-length", b"0"), (b"content-length", b"%d" % len(AS_CHUNKS))],
    "no length": [(b"content-length", b"")],
    "a length with a sign": [(b"content-length", b"+%d" % len(AS_CHUNKS))],
    "another host": [(b"host", b"other.example")],
    "two hosts": [(b"host", b"web.example"), (b"host", b"other.example")],
    "a path that goes on": [(b":path", b"%s HTTP/1.1\r\nHost: web.example\r\n\r\nGET /hidden")],
    "a path with a blank": [(b":path", b"%s /hidden")],
    "a path with LF": [(b":path", b"%s\n/hidden")],
    "a relative path": [(b":path", b"hidden%s")],
    "no path": [(b":path", b"")],
    "a star": [(b":path", b"*")],
    "two paths": [(b":path", b"%s"), (b":path", b"/hidden")],
    "a method that goes on": [(b":method", b"GET /hidden HTTP/1.1\r\nHost: web.example\r\n\r\nGET")],
    "a method with a blank": [(b":method", b"GET /hidden")],
    "CONNECT": [(b":method", b"CONNECT")],
    "an authority that goes on": [(b":authority", b"web.example\r\n\r\n" + HIDDEN)],
    "an authority with a path": [(b":authority", b"web.example/hidden?")],
    "a scheme that goes on": [(b":scheme", b"http://other.example/hidden?")],
    "another pseudo-header": [(b":hidden", b"x")],
    "a pseudo-header too late": [(b"x-a", b"b"), (b":path", b"/hidden")],
    "nothing odd": [],
}


async def _send_over_http2(site: Site, fields: list[tuple[bytes, bytes]], path: bytes) -> None:
    config = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None)
    connection = H2Connection(config)
    connection.initiate_connection()
    said = [(name, value.replace(b"%s", path)) for name, value in fields]
    usual = [one for one in {**_HEADERS, b":path": path}.items() if one[0] not in dict(said) or said[0][0] == b"x-a"]
    connection.send_headers(1, [*usual, *said])
    connection.send_data(1, AS_CHUNKS, end_stream=True)
    await site.send(connection.data_to_send())


@pytest.mark.parametrize("names", [*batched([*OVER_HTTP2][:-1]), ("nothing odd",)])
async def test_no_request_over_http2_becomes_two(names: tuple[str, ...], site: Site) -> None:
    paths = [b"/" + one.encode() for one in ROUTES]
    await asyncio.gather(*(_send_over_http2(site, OVER_HTTP2[name], path) for name in names for path in paths))
    _assert_held(site)
    if names == ("nothing odd",):
        assert _arrived(site) == set(ROUTES) - set(CLOSED) - {"small"}


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE"])
async def test_nobody_gets_a_tunnel_or_an_echo(method: bytes, executor: Executor, proxy_settings: ProxySettings) -> None:
    pod = StrictPod()
    await pod.start()
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(route(PrefixPath("")))], [backend(endpoint("a", pod.port))]))
    )
    target = b"web.example:80" if method == b"CONNECT" else b"/"
    request = b"%s %s HTTP/1.1\r\nHost: web.example\r\n\r\n" % (method, target)
    answer = await Site(proxy_settings, {"pod": pod}).send(request + HIDDEN)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert target not in pod.targets
    async with Http2Client.connected(proxy_settings.http_port) as call:
        await call.connect("web.example")
        await call.read_until()
        assert (call.headers[":status"], pod.targets) == ("405", [b"/hidden"] * pod.targets.count(b"/hidden"))
    pod.stop()


async def test_a_client_names_no_headers_that_are_for_one_hop(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(route())], [backend(endpoint("a", await pods.start("a")))]))
    )
    asked = {"Connection": "keep-alive, X-Forwarded-For", "Keep-Alive": "5", "HTTP2-Settings": "AAMAAABk", "TE": "trailers"}
    _, _, body = await client.get("web.example", headers=asked)
    arrived = json.loads(body)["headers"]
    assert {name.lower(): arrived.get(name.lower()) for name in asked} == {
        "connection": None,
        "keep-alive": None,
        "http2-settings": None,
        "te": "trailers",
    }
    wish = {"Connection": "X-Real-IP, Upgrade", "Upgrade": "chat"}
    arrived = json.loads((await client.get("web.example", headers=wish))[2])["headers"]
    assert (arrived["connection"], arrived["upgrade"]) == ("upgrade", "chat")
