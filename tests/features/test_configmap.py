"""What the controller's ConfigMap says of the proxy, on the real HAProxy."""

import asyncio
import contextlib
import gzip
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from yarl import URL

from remora.annotations.registry import parse_defaults, setting_rows
from remora.apply.binary import find_binary
from remora.apply.default_certificate import ensure_default_certificate
from remora.apply.executor import Executor
from remora.apply.files import write_all
from remora.apply.process import HAProxyProcess
from remora.controller.cache import Cache
from remora.controller.loop import Applied, ControlLoop
from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.kube.objects import ConfigMap, EndpointPort, ObjectMeta
from remora.kube.reflector import Relisted, Told
from remora.kube.resources import Scope
from remora.model import ForwardTo, Model, PrefixPath, RedirectToHost
from remora.plan.decide import started
from remora.plan.files import files_in_turn
from remora.plan.outcome import Outcome, OutcomeKind
from remora.translate import Translator
from remora.translate.options import proxy_options
from remora.watch.snapshot import KINDS, Snapshot
from tests.support.kubernetes import endpoint as slice_endpoint
from tests.support.kubernetes import endpoint_slice, ingress, ingress_class, rule, service
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods

CONFIGMAP = ObjectRef("ConfigMap", NamespacedName("remora", "controller"))


class Bench:
    """An executor whose ConfigMap can be changed."""

    def __init__(self, executor: Executor, settings: ProxySettings, served: Model, client: Client) -> None:
        self.settings = settings
        self.client = client
        self._executor = executor
        self._configurator = Configurator(settings)
        self._served = served

    async def configure(self, **data: str) -> Outcome:
        """Applies a ConfigMap with these keys alone, `_` for `-`."""
        defaults = parse_defaults({key.replace("_", "-"): text for key, text in data.items()}, object=CONFIGMAP)
        assert defaults.problems == ()
        return await self.configure_options(proxy_options(defaults))

    async def configure_options(self, options: ProxyOptions) -> Outcome:
        wanted = msgspec.structs.replace(self._served, options=options)
        outcome = await self._executor.apply(self._configurator.configure(wanted))
        assert outcome.kind is not OutcomeKind.FAILED, outcome.error
        with contextlib.suppress(aiohttp.ClientError):
            # On a connection of before, the old worker answers once more and then closes it.
            await self.client.get("web.example")
        return outcome

    async def sent(self, path: str = "/", **headers: str) -> dict[str, str]:
        """The headers that the pod gets of a request with these."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, body = await self.client.get("web.example", path, headers=named)
        assert status == 200
        found: dict[str, str] = msgspec.json.decode(body)["headers"]
        return found


@pytest.fixture
async def bench(executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client) -> Bench:
    routes = (
        route(PrefixPath("")),
        route(PrefixPath("/tls"), https_redirect=308),
        route(PrefixPath("/www"), RedirectToHost(Hostname("www.example"), 308)),
        route(PrefixPath("/sticky"), ForwardTo(NAME, sticky())),
    )
    served = model([host(*routes)], [backend(endpoint("a", await pods.start("a")))])
    return Bench(executor, proxy_settings, served, client)


@asynccontextmanager
async def load(client: Client) -> AsyncIterator[list[object]]:
    """Requests without a pause from four clients; the list takes everything that is no 200."""
    failures: list[object] = []
    count = 0

    async def ask() -> None:
        nonlocal count
        while True:
            try:
                status, _, _ = await client.get("web.example", "/sticky")
                if status != 200:
                    failures.append(status)
            except aiohttp.ClientError as error:
                failures.append(error)
            count += 1

    tasks = [asyncio.create_task(ask()) for _ in range(4)]
    try:
        yield failures
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert count > 50


async def test_a_change_is_one_reload_that_names_the_keys_and_fails_no_request(bench: Bench) -> None:
    await bench.configure()
    changes: tuple[dict[str, str], ...] = (
        {"keep_alive": "20"},
        {"keep_alive": "20", "hsts": "false"},
        {"worker_shutdown_timeout": "4s", "use_gzip": "true"},
        {"use_forwarded_headers": "true", "block_cidrs": "192.0.2.0/24"},
        {},
    )
    names = (
        "keep-alive",
        "hsts",
        "worker-shutdown-timeout, keep-alive, use-gzip, hsts",
        "worker-shutdown-timeout, use-forwarded-headers, block-cidrs, use-gzip",
        "use-forwarded-headers, block-cidrs",
    )
    async with load(bench.client) as failures:
        for data, keys in zip(changes, names, strict=True):
            outcome = await bench.configure(**data)
            assert (outcome.kind, outcome.reasons) == (OutcomeKind.RELOAD, (f"the ConfigMap's {keys} changed",))
            await asyncio.sleep(0.1)
    assert failures == []


async def test_what_it_had_before_changes_nothing(bench: Bench) -> None:
    await bench.configure(keep_alive="20")
    assert (await bench.configure(keep_alive="0x14")).kind is OutcomeKind.UNCHANGED
    assert (await bench.configure(keep_alive="20", keep_alive_requests="5")).kind is OutcomeKind.UNCHANGED


async def test_the_client_is_the_connection_s_other_end_unless_headers_are_believed(bench: Bench) -> None:
    await bench.configure()
    said = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "other.example"}
    got = await bench.sent(**said)
    assert (got["x-real-ip"], got["x-forwarded-for"], got["x-forwarded-proto"]) == ("127.0.0.1", "127.0.0.1", "http")
    assert (got["x-original-forwarded-for"], got["x-forwarded-host"]) == ("203.0.113.9", "web.example")


@pytest.mark.parametrize(
    ("trusted", "said", "found"),
    [
        ("0.0.0.0/0", "203.0.113.9, 198.51.100.7", "203.0.113.9"),
        ("0.0.0.0/0", "203.0.113.9, 2001:db8::1, 198.51.100.7", "2001:db8::1"),
        ("0.0.0.0/0", "203.0.113.9, junk, 198.51.100.7", "198.51.100.7"),
        ("0.0.0.0/0", "junk", "127.0.0.1"),
        ("127.0.0.0/8,198.51.100.0/24", "6.6.6.6, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        ("127.0.0.0/8", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("key", ["use_forwarded_headers", "enable_real_ip"])
async def test_the_client_is_the_last_that_is_no_trusted_proxy(
    key: str, trusted: str, said: str, found: str, bench: Bench
) -> None:
    await bench.configure(**{key: "true"}, proxy_real_ip_cidr=trusted)
    got = await bench.sent(X_Forwarded_For=said)
    assert (got["x-real-ip"], got["x-forwarded-for"]) == (found, found)
    assert got["x-original-forwarded-for"] == said


async def test_another_header_may_hold_the_address(bench: Bench) -> None:
    await bench.configure(enable_real_ip="true", forwarded_for_header="CF-Connecting-IP")
    got = await bench.sent(CF_Connecting_IP="203.0.113.9", X_Forwarded_For="6.6.6.6")
    assert (got["x-real-ip"], got["x-forwarded-for"]) == ("203.0.113.9", "203.0.113.9")
    assert got["x-forwarded-proto"] == "http"


async def test_forwarded_headers_are_taken_over_and_decide_about_redirects(bench: Bench) -> None:
    await bench.configure(use_forwarded_headers="true")
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "a.example, b.example", "X_Forwarded_Port": "8443"}
    got = await bench.sent(**said)
    for name in ("x-forwarded-proto", "x-forwarded-scheme", "x-scheme"):
        assert got[name] == "https"
    assert (got["host"], got["x-forwarded-host"], got["x-forwarded-port"]) == ("a.example", "a.example", "8443")
    got = await bench.sent("/tls", X_Forwarded_Proto="https")
    assert got["x-forwarded-proto"] == "https"
    status, headers, _ = await bench.client.get("web.example", "/tls", headers={"X-Forwarded-Host": "a.example"})
    assert (status, headers["location"]) == (308, "https://a.example/tls")
    headers_said = {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}
    status, headers, _ = await bench.client.get("web.example", "/www", headers=headers_said)
    assert (status, headers["location"]) == (308, "https://www.example:443/www")


@pytest.mark.parametrize("said", ["evil/x", "a b", "a.example@b", "", "a.example:x"])
async def test_a_forwarded_host_that_is_none_is_ignored(said: str, bench: Bench) -> None:
    await bench.configure(use_forwarded_headers="true")
    got = await bench.sent(X_Forwarded_Host=said, X_Forwarded_Port="8443@evil")
    assert (got["host"], got["x-forwarded-host"]) == ("web.example", "web.example")
    assert got["x-forwarded-port"] == str(bench.settings.http_port)


async def test_the_whole_way_is_told_where_that_is_asked_for(bench: Bench) -> None:
    await bench.configure(use_forwarded_headers="true", compute_full_forwarded_for="true")
    got = await bench.sent(X_Forwarded_For="203.0.113.9, 198.51.100.7")
    assert got["x-forwarded-for"] == "203.0.113.9, 198.51.100.7, 127.0.0.1"
    assert (await bench.sent())["x-forwarded-for"] == "127.0.0.1"


async def raw(settings: ProxySettings, text: bytes) -> bytes:
    """What is answered to these bytes on the port for HTTP; nothing, if the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.http_port)
    try:
        writer.write(text)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):
                return await reader.read()
        return b""
    finally:
        writer.close()


REQUEST = b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n"


async def test_a_proxy_header_is_required_and_says_who_the_client_is(bench: Bench) -> None:
    await bench.configure(use_proxy_protocol="true")
    assert b"200 OK" not in await raw(bench.settings, REQUEST)
    answer = await raw(bench.settings, b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\n" + REQUEST)
    assert b'"x-real-ip": "203.0.113.9"' in answer
    assert b'"x-forwarded-port": "443"' in answer
    assert b'"x-forwarded-proto": "https"' in answer
    answer = await raw(bench.settings, b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n" + REQUEST)
    assert b'"x-forwarded-proto": "http"' in answer


async def test_a_proxy_header_counts_from_trusted_proxies_only(bench: Bench) -> None:
    await bench.configure(use_proxy_protocol="true", proxy_real_ip_cidr="10.0.0.0/8")
    assert b'"x-real-ip": "127.0.0.1"' in await raw(bench.settings, REQUEST)
    forged = await raw(bench.settings, b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n" + REQUEST)
    assert b"203.0.113.9" not in forged


async def test_blocked_networks_get_403_by_the_client_s_address(bench: Bench) -> None:
    await bench.configure(enable_real_ip="true", block_cidrs="203.0.113.0/24,2001:db8::/32")
    for address, status in {"203.0.113.9": 403, "198.51.100.7": 200, "2001:db8::1": 403}.items():
        got, _, _ = await bench.client.get("web.example", headers={"X-Forwarded-For": address})
        assert got == status


@pytest.mark.parametrize(
    ("agent", "status"),
    [("curl/8.0", 403), ("curl/8.01", 200), ("a BOT b", 403), ("Spider", 403), ("spider", 200), ("-i -f 'x' \"%", 403)],
)
async def test_blocked_agents_get_403(agent: str, status: int, bench: Bench) -> None:
    await bench.configure(block_user_agents="curl/8.0,~*bot,~^Sp.der$,-i -f 'x' \"%", block_referers="~spam[.]example")
    assert (await bench.client.get("web.example", headers={"User-Agent": agent}))[0] == status
    assert (await bench.client.get("web.example", headers={"Referer": "http://spam.example/"}))[0] == 403


async def over_tls(bench: Bench, path: str = "/", **context_options: object) -> aiohttp.ClientResponse:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in context_options.items():
        setattr(context, name, value)
    url = URL(f"https://127.0.0.1:{bench.settings.https_port}{path}", encoded=True)
    async with aiohttp.ClientSession() as session:
        return await session.get(url, headers={"Host": "web.example"}, ssl=context, allow_redirects=False)


async def test_every_answer_over_https_has_the_header_of_hsts_and_none_over_http(bench: Bench) -> None:
    await bench.configure()
    value = "max-age=31536000; includeSubDomains"
    for path in ("/", "/sticky", "/www", "/%zz", "/%0a"):
        answer = await over_tls(bench, path)
        assert answer.headers.getall("Strict-Transport-Security") == [value], (path, answer.status)
    _, headers, _ = await bench.client.get("web.example")
    assert "strict-transport-security" not in headers
    await bench.configure(hsts_max_age="600", hsts_include_subdomains="false", hsts_preload="true")
    assert (await over_tls(bench)).headers["Strict-Transport-Security"] == "max-age=600; preload"
    await bench.configure(hsts="false")
    assert "Strict-Transport-Security" not in (await over_tls(bench)).headers


async def test_only_the_versions_asked_for_are_spoken(bench: Bench) -> None:
    await bench.configure(ssl_protocols="TLSv1.3")
    assert (await over_tls(bench)).status == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        await over_tls(bench, maximum_version=ssl.TLSVersion.TLSv1_2)
    await bench.configure(ssl_protocols="TLSv1.2", ssl_ciphers="ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")
    with pytest.raises(aiohttp.ClientConnectorError):
        await over_tls(bench, minimum_version=ssl.TLSVersion.TLSv1_3)
    assert (await over_tls(bench)).status == 200


@pytest.mark.parametrize(("text", "spoken"), [("true", "h2"), ("false", "http/1.1")])
async def test_http2_is_offered_unless_it_is_switched_off(text: str, spoken: str, bench: Bench) -> None:
    await bench.configure(use_http2=text)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])

    def handshake() -> str | None:
        with socket.create_connection(("127.0.0.1", bench.settings.https_port)) as plain, context.wrap_socket(plain) as tls:
            return tls.selected_alpn_protocol()

    assert await asyncio.to_thread(handshake) == spoken


async def test_answers_are_compressed_where_that_is_asked_for(bench: Bench) -> None:
    request = REQUEST.replace(b"Connection", b"Accept-Encoding: gzip\r\nConnection")
    await bench.configure(use_gzip="true")
    head, _, body = (await raw(bench.settings, request)).partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    chunk = body.partition(b"\r\n")[2] if b"chunked" in head.lower() else body
    assert b'"pod"' in gzip.decompress(chunk.rpartition(b"\r\n0\r\n\r\n")[0] or chunk)
    assert b"content-encoding" not in (await raw(bench.settings, REQUEST)).lower()
    await bench.configure(use_gzip="true", gzip_types="text/css")
    assert b"content-encoding" not in (await raw(bench.settings, request)).lower()


@pytest.mark.parametrize(
    ("disable", "agent", "is_compressed"),
    [
        ("msie6", b"Mozilla/4.0 (compatible; MSIE 6.0)", False),
        ("msie6", b"Mozilla/5.0", True),
        ("old(er)?/[12]", b"OLDER/2", False),
    ],
)
async def test_some_clients_get_nothing_compressed(disable: str, agent: bytes, is_compressed: bool, bench: Bench) -> None:
    await bench.configure(use_gzip="true", gzip_disable=disable)
    request = REQUEST.replace(b"Connection", b"Accept-Encoding: gzip\r\nUser-Agent: " + agent + b"\r\nConnection")
    assert (b"content-encoding: gzip" in (await raw(bench.settings, request)).lower()) is is_compressed


async def test_the_server_header_and_hidden_ones_are_taken_away(bench: Bench) -> None:
    await bench.configure()
    assert "server" not in (await bench.client.get("web.example"))[1]
    await bench.configure(server_tokens="true", hide_headers="Content-Length,Date")
    headers = (await bench.client.get("web.example"))[1]
    assert "server" in headers
    assert "date" not in headers


async def test_requests_get_an_id_and_their_uri_as_asked_for(bench: Bench) -> None:
    await bench.configure()
    got = await bench.sent()
    assert len(got["x-request-id"]) == 32
    assert "x-original-uri" not in got
    await bench.configure(generate_request_id="false", proxy_add_original_uri_header="true")
    got = await bench.sent("/a%20b?c=d")
    assert "x-request-id" not in got
    assert got["x-original-uri"] == "/a%20b?c=d"


async def test_without_keep_alive_each_answer_ends_the_connection(bench: Bench) -> None:
    await bench.configure(keep_alive="0")
    answer = await raw(bench.settings, REQUEST.replace(b"Connection: close\r\n", b""))
    assert b"connection: close" in answer.lower()


async def test_slow_headers_are_given_up(bench: Bench) -> None:
    await bench.configure(client_header_timeout="1")
    assert b"408" in (await raw(bench.settings, b"GET / HTTP/1.1\r\nHost: web.example\r\n"))[:20]


async def test_longer_headers_are_taken_where_buffers_are_larger(bench: Bench) -> None:
    long = {f"X-Long-{number}": "x" * 4000 for number in range(6)}
    await bench.configure()
    assert (await bench.client.get("web.example", headers=long))[0] == 400
    await bench.configure(large_client_header_buffers="4 16k")
    assert (await bench.client.get("web.example", headers=long))[0] == 200


async def test_headers_for_all_pods_and_all_clients_are_set(bench: Bench) -> None:
    sent: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("X-Client", ("", "remote_addr", "")),
        ("X-Agent", ("<", "http_user_agent", '> 100% "q"')),
        ("Accept", ("",)),
    )
    sent = (*sent, ("X-Request", ("", "request_method", " ", "scheme", "://", "host", "", "request_uri", "")))
    added = (("X-Frame-Options", ("DENY %[src] 'x'",)), ("X-Scheme", ("", "scheme", "")), ("Content-Type", ("",)))
    await bench.configure_options(ProxyOptions(proxy_set_headers=sent, add_headers=added))
    got = await bench.sent("/a?b=c", User_Agent="me")
    assert (got["x-client"], got["x-agent"]) == ("127.0.0.1", '<me> 100% "q"')
    assert got["x-request"] == "GET http://web.example/a?b=c"
    assert "accept" not in got
    for path, status in {"/": 200, "/tls": 308, "/%zz": 400}.items():
        found, headers, _ = await bench.client.get("web.example", path)
        assert (found, headers["x-frame-options"], headers["x-scheme"]) == (status, "DENY %[src] 'x'", "http")
        assert "content-type" not in headers


ODD = (
    "\n    http-request deny",
    "a # b",
    "a'b",
    'a"b',
    "a\\",
    "}",
    "%[src]",
    "$HOME",
    "${X}",
    "~(",
    "~*x{2}",
    "-f /x",
    "é",
    ";",
)
EXAMPLES = [(row.global_key, text) for row in setting_rows() for text in (*row.accepts, *row.refuses)]


async def test_haproxy_takes_the_program_of_any_configmap(proxy_settings: ProxySettings) -> None:
    directory = Path(proxy_settings.state_directory)
    layout = Layout(proxy_settings.state_directory)
    process = HAProxyProcess(binary=find_binary(), directory=directory, files=())
    ensure_default_certificate(Path(layout.certificate("default")))
    draw = random.Random(7)
    seen = set()
    for _ in range(40):
        data = {key: text + draw.choice(("", "", *ODD)) for key, text in draw.sample(EXAMPLES, 40)}
        data |= {key: draw.choice(ODD) for key, _ in draw.sample(EXAMPLES, 8)}
        # Whether these are to be had only the machine can tell.
        listened = ("bind-address", "bind-address-ipv4", "bind-address-ipv6")
        for key in ("ssl-ciphers", "ssl-ecdh-curve", *listened, "max-worker-connections"):
            data.pop(key, None)
        config = ConfigMap(ObjectMeta("controller", "shop"), data=data)
        snapshot = Snapshot().changed(ConfigMap, {config.key: config})
        translation = Translator(RoutingSettings(session_key=b"k", configmap=config.key)).translate(snapshot, None)
        wanted = Configurator(proxy_settings).configure(translation.model)
        seen.add(wanted.digest)
        write_all(files_in_turn(wanted, started(wanted), layout))
        await process.check([Path(file) for file in (layout.program, layout.peers, layout.backends)])
    assert len(seen) > 20


async def test_settings_that_haproxy_does_not_take_harm_nothing_else(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    config = ConfigMap(ObjectMeta("controller", "shop"), data={"keep-alive": "20"})
    applied: list[Applied] = []
    port = await pods.start("a")
    slices = msgspec.structs.replace(
        endpoint_slice("shop/web", "web", slice_endpoint("127.0.0.1", "a")),
        ports=(EndpointPort(name="http", port=port),),
    )
    objects = (ingress_class("nginx"), service("shop/web"), slices, ingress("shop/a", rule("a.example", "/")), config)
    scopes = {kind: Scope(kind) for kind in KINDS}
    loop = ControlLoop(
        Cache(tuple(scopes.values())),
        Translator(RoutingSettings(session_key=b"k", configmap=config.key)),
        Configurator(proxy_settings),
        executor,
        tell=applied.append,
        tell_failure=lambda: None,
        configmap=config.key,
    )
    running = asyncio.create_task(loop.run())
    try:
        for kind, scope in scopes.items():
            await loop.inbox.put(Relisted(scope, tuple(one for one in objects if isinstance(one, kind))))
        await _until(lambda: len(applied) == 1)
        assert (await client.get("a.example"))[0] == 200
        data = {"keep-alive": "20", "ssl-ciphers": "NONSENSE", "block-cidrs": "127.0.0.0/8"}
        bad = msgspec.structs.replace(config, data=data)
        await loop.inbox.put(Told(scopes[ConfigMap], "MODIFIED", bad))
        await _until(lambda: len(applied) == 2)
        assert applied[1].outcome.kind is OutcomeKind.RELOAD
        assert [one.field for one in applied[1].problems if one.code == "SettingRefused"] == ["data[ssl-ciphers]"]
        with contextlib.suppress(aiohttp.ClientError):
            await client.get("a.example")
        assert (await client.get("a.example"))[0] == 403
        await loop.inbox.put(Told(scopes[ConfigMap], "DELETED", bad))
        await _until(lambda: len(applied) == 3)
        assert [one for one in applied[2].problems if one.object.kind == "ConfigMap"] == []
        with contextlib.suppress(aiohttp.ClientError):
            await client.get("a.example")
        assert (await client.get("a.example"))[0] == 200
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.01)
