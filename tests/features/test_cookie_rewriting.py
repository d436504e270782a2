"""Names inside that pods put into cookies and redirects, on the real HAProxy."""

import asyncio

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AnswerNames, ForwardTo, Replacement
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.rawpods import RawPod

NAMES = AnswerNames(
    cookie_domain=Replacement("internal.example", "www.example"),
    cookie_path=Replacement("/app/", "/"),
    redirect=Replacement("http://$host/", "$scheme://$http_host/out/"),
)


def answer(*headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", "Content-Length: 2", *headers, "", "ok")).encode("latin-1")


async def raw_headers(proxy_settings: ProxySettings, name: str, host: str = "web.example") -> list[str]:
    """The values of a header, in their order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    lines = (await reader.read()).decode("latin-1").split("\r\n\r\n", 1)[0].split("\r\n")[1:]
    writer.close()
    return [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith(f"{name}:")]


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("a=1; Domain=internal.example; Path=/app/x", "a=1; Domain=www.example; Path=/x"),
        ("a=1; domain=.Internal.Example; HttpOnly", "a=1; domain=www.example; HttpOnly"),
        ("a=1; Path=/app/; Secure; SameSite=Lax", "a=1; Path=/; Secure; SameSite=Lax"),
        ("a=1;path=/app/x;HttpOnly", "a=1;path=/x;HttpOnly"),
        ("a=1; Domain=x.internal.example; Path=/App/", "a=1; Domain=x.internal.example; Path=/App/"),
        ("a=1; Path=/application", "a=1; Path=/application"),
        ("domain=internal.example; HttpOnly", "domain=internal.example; HttpOnly"),
        ("path=/app/x", "path=/app/x"),
        ("a=/app/; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "a=/app/; Expires=Wed, 21 Oct 2015 07:28:00 GMT"),
        ("a", "a"),
    ],
)
async def test_domain_and_path_of_a_pod_s_cookie_become_those_outside(
    sent: str, expected: str, executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    wanted = model([host(route(action=ForwardTo(NAME, answer_names=NAMES)))], [backend(endpoint("a", raw_pod.port))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    raw_pod.answer = answer(f"Set-Cookie: {sent}", "Set-Cookie: second=2; Path=/app/second", "Set-Cookie: third=3")
    got = await raw_headers(proxy_settings, "set-cookie")
    assert got == [expected, "second=2; Path=/second", "third=3"]


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("header", "sent", "expected"),
    [
        ("location", "http://web.example/a?b=c", "http://web.example:81/out/a?b=c"),
        ("location", "http://other.example/a", "http://other.example/a"),
        ("location", "/a", "/a"),
        ("location", "https://web.example/a", "https://web.example/a"),
        ("refresh", "5; url=http://web.example/a", "5; url=http://web.example:81/out/a"),
        ("refresh", "5", "5"),
    ],
)
async def test_a_redirect_of_a_pod_leads_outside(
    header: str, sent: str, expected: str, executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    wanted = model([host(route(action=ForwardTo(NAME, answer_names=NAMES)))], [backend(endpoint("a", raw_pod.port))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    raw_pod.answer = answer(f"{header}: {sent}")
    assert await raw_headers(proxy_settings, header, "web.example:81") == [expected]


async def test_texts_are_no_patterns(executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod) -> None:
    names = AnswerNames(cookie_path=Replacement("/a.p/", "/%1/"), redirect=Replacement("http://a.b/", "/%0"))
    wanted = model([host(route(action=ForwardTo(NAME, answer_names=names)))], [backend(endpoint("a", raw_pod.port))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    raw_pod.answer = answer("Set-Cookie: a=1; Path=/axp/", "Set-Cookie: b=1; Path=/a.p/x", "Location: http://a.b/x")
    assert await raw_headers(proxy_settings, "set-cookie") == ["a=1; Path=/axp/", "b=1; Path=/%1/x"]
    assert await raw_headers(proxy_settings, "location") == ["/%0x"]


async def test_the_session_s_own_cookie_stays_as_it_is_and_the_change_is_no_reload(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    configurator = Configurator(proxy_settings)
    affinity = sticky(path="/app/")
    plain = ForwardTo(NAME, affinity=affinity)
    backends = [backend(endpoint("a", raw_pod.port))]
    raw_pod.answer = answer("Set-Cookie: a=1; Path=/app/x")
    await executor.apply(configurator.configure(model([host(route(action=plain))], backends)))
    pod, session = await raw_headers(proxy_settings, "set-cookie")
    assert pod == "a=1; Path=/app/x"
    renamed = msgspec.structs.replace(plain, answer_names=NAMES)
    outcome = await executor.apply(configurator.configure(model([host(route(action=renamed))], backends)))
    assert outcome.kind is OutcomeKind.RUNTIME
    pod, session = await raw_headers(proxy_settings, "set-cookie")
    assert pod == "a=1; Path=/x"
    assert session.startswith("route=")
    assert "Path=/app/" in session
