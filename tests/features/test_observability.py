"""What is told of requests, from the real HAProxy: access logs, histograms, spans."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from remora.core.options import ProxyOptions, log_pieces
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.model import Model, PrefixPath, Tracing
from remora.observe.request_reader import RequestReader
from remora.observe.span_exporter import SpanExporter
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def until(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


class Observed:
    """A proxy whose lines are read."""

    def __init__(self, settings: ProxySettings, wanted: Model) -> None:
        self.output = io.BytesIO()
        self.spans = SpanExporter()
        path = Layout(settings.state_directory).requests_socket
        self.reader = RequestReader(path, measures=settings.measures_requests, spans=self.spans, output=self.output)
        self.reader.tell(wanted)

    @property
    def lines(self) -> list[str]:
        return self.output.getvalue().decode().splitlines()


@asynccontextmanager
async def observed(settings: ProxySettings, wanted: Model, **options: object) -> AsyncIterator[Observed]:
    wanted = msgspec.structs.replace(wanted, options=ProxyOptions(**options))  # type: ignore[arg-type]
    async with running_executor(settings) as executor:
        watched = Observed(settings, wanted)
        try:
            outcome = await executor.apply(Configurator(settings).configure(wanted))
            assert not outcome.error
            yield watched
        finally:
            watched.reader.close()


async def test_a_request_is_a_line_of_nginx_and_no_client_can_write_two(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model([host(route(PrefixPath("/shop")))], [backend(endpoint("a", await pods.start("a")))])
    async with observed(proxy_settings, wanted, disable_access_log=False) as watched:
        agent = 'curl "x" \\ |}{# \t é'
        await client.get(
            "web.example", "/shop?a=1", headers={"User-Agent": agent, "Referer": "http://r/", "X-Request-ID": "id"}
        )
        await client.get("other.example", "/shop")
        await client.get("web.example", "/shop/2", headers={"Authorization": "Basic bWU6cHc="})
        await until(lambda: len(watched.lines) == 2)
    first, second = watched.lines
    assert first.startswith("127.0.0.1 - - [")
    assert '"GET /shop?a=1 HTTP/1.1" 200 ' in first
    assert '"http://r/" "curl \\x22x\\x22 \\x5C |}{# \\x09 \\xC3\\xA9" ' in first
    assert "[default-web-80] [-] 127.0.0.1:" in first
    assert first.endswith(" 200 id")
    assert second.startswith("127.0.0.1 - me [")


async def test_json_escapes_as_json_does_and_absent_values_are_empty(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    text = (
        '{"agent": "$http_user_agent", "none": "$http_x_none", "status": $status, '
        '"type": "$sent_http_content_type", "x": "${nope}"}'
    )
    wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
    options = {"disable_access_log": False, "log_format_upstream": log_pieces(text), "log_format_escape_json": True}
    async with observed(proxy_settings, wanted, **options) as watched:
        await client.get("web.example", "/", headers={"User-Agent": 'a"b\\c\té'})
        await until(lambda: len(watched.lines) == 1)
    found = json.loads(watched.lines[0])
    assert found == {
        "agent": 'a"b\\c\té', "none": "", "status": 200, "type": "application/json; charset=utf-8", "x": ""
    }  # fmt: skip


async def test_what_is_not_to_be_logged_is_not(proxy_settings: ProxySettings, pods: Pods, client: Client) -> None:
    routes = (route(), route(PrefixPath("/silent"), is_logged=False))
    wanted = model([host(*routes)], [backend(endpoint("a", await pods.start("a")))])
    skipped = ("/healthz", "~^/static/")
    async with observed(proxy_settings, wanted, disable_access_log=False, skip_access_log_urls=skipped) as watched:
        for path in ("/silent", "/healthz", "/static/a.js", "/healthz/x"):
            await client.get("web.example", path)
        await until(lambda: bool(watched.lines))
        await until(lambda: watched.reader.lines == 4)
    assert [line.split('"')[1] for line in watched.lines] == ["GET /healthz/x HTTP/1.1"]


async def test_requests_are_measured_by_route_method_and_status(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    settings = msgspec.structs.replace(proxy_settings, measures_requests=True)
    wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
    async with observed(settings, wanted) as watched:
        await client.get("web.example", "/", headers={"X-Status": "404"})
        await client.get("web.example", "/", method="INVENTED")
        await until(lambda: watched.reader.lines == 2)
        series = watched.reader.durations.read()
    found = {(labels.ingress, labels.upstream, method, status) for labels, method, status in series}
    assert found == {("web", "default-web-80", "GET", "404"), ("web", "default-web-80", "OTHER", "400")}
    for histograms in series.values():
        assert all(sum(one.counts) == 1 for one in histograms.values())
        assert histograms["response_size"].total > 100
    assert watched.lines == []


@pytest.mark.parametrize(
    ("trusts", "sent", "continues"),
    [(True, TRACEPARENT, True), (False, TRACEPARENT, False), (True, "", False), (True, "00-zz-1-01", False)],
)
async def test_a_traced_request_tells_its_pod_and_the_collector(
    trusts: bool, sent: str, continues: bool, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    taken: list[dict[str, object]] = []

    async def collect(request: web.Request) -> web.Response:
        taken.append(await request.json())
        return web.json_response({})

    application = web.Application()
    application.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    wanted = model([host(route(tracing=Tracing(trusts, "shop")))], [backend(endpoint("a", await pods.start("a")))])
    options = {
        "otlp_collector_host": "127.0.0.1",
        "otlp_collector_port": runner.addresses[0][1],
        "otel_schedule_delay_millis": 20,
    }
    async with observed(proxy_settings, wanted, **options) as watched:
        exporting = asyncio.create_task(watched.spans.run())
        _, _, body = await client.get("web.example", "/x?q=1", headers={"traceparent": sent} if sent else {})
        await until(lambda: bool(taken))
        exporting.cancel()
        await asyncio.gather(exporting, return_exceptions=True)
    await runner.cleanup()
    _, trace, span, flags = json.loads(body)["headers"]["traceparent"].split("-")
    (found,) = taken[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]  # type: ignore[index]
    assert (found["traceId"], found["spanId"], found["name"], flags) == (trace, span, "shop", "01")
    assert (len(trace), len(span)) == (32, 16)
    assert (trace == TRACEPARENT.split("-")[1]) is continues
    assert found.get("parentSpanId") == (TRACEPARENT.split("-")[2] if continues else None)
    assert span != TRACEPARENT.split("-")[2]


async def test_without_tracing_a_trace_passes_as_it_is(proxy_settings: ProxySettings, pods: Pods, client: Client) -> None:
    wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
    async with observed(proxy_settings, wanted):
        _, _, body = await client.get("web.example", "/", headers={"traceparent": TRACEPARENT, "tracestate": "a=b"})
    headers = json.loads(body)["headers"]
    assert (headers["traceparent"], headers["tracestate"]) == (TRACEPARENT, "a=b")


async def test_lines_go_to_a_syslog_server_if_one_is_named(proxy_settings: ProxySettings, pods: Pods, client: Client) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
        options = {"enable_syslog": True, "syslog_host": "127.0.0.1", "syslog_port": server.getsockname()[1]}
        async with observed(proxy_settings, wanted, disable_access_log=False, **options) as watched:
            await client.get("web.example", "/")
            message = await asyncio.to_thread(server.recv, 9000)
        assert watched.lines == []
    assert message.startswith(b"<134>nginx: 127.0.0.1 - - [")


async def test_requests_wait_for_nobody_who_reads_and_their_lines_for_a_while(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    settings = msgspec.structs.replace(proxy_settings, measures_requests=True)
    wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
    async with observed(settings, wanted) as watched:
        watched.reader.close()
        for _ in range(3):
            assert (await client.get("web.example", "/"))[0] == 200
        watched.reader.tell(wanted)
        await until(lambda: watched.reader.lines == 3)
