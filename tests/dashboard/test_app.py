"""What the frame lets through, and what its pages say: the application without a socket."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from remora.dashboard.events import stream
from remora.dashboard.fragments import Leaf
from remora.dashboard.guard import FORM_LIMIT, POLICY
from remora.dashboard.poller import Poller
from remora.dashboard.site import OpenPage
from remora.dashboard.viewer import OneTimeUrl, SignedIn, Viewer
from tests.support.dashboard import PAUSE, Told, dashboard
from tests.support.traffic import change, pod, problem, report, route

ORIGIN = {"Origin": "http://testserver"}
EVIL = "<script>alert(1)</script>"


@pytest.fixture
async def told() -> Told:
    rows = [route(), pod("web-abc-1", sessions=4), pod("web-abc-2", sessions=2), problem(), change()]
    return Told(report(*rows))


@pytest.fixture
async def access() -> OneTimeUrl:
    return OneTimeUrl(Viewer("you", None))


@pytest.fixture
async def client(told: Told, access: OneTimeUrl) -> AsyncIterator[httpx.AsyncClient]:
    poller = Poller(told.ask, pause=PAUSE)
    polling = asyncio.create_task(poller.run())
    transport = httpx.ASGITransport(dashboard(poller, access))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client
    polling.cancel()


async def _enter(client: httpx.AsyncClient, access: OneTimeUrl) -> str:
    """Gets in; the token of the forms."""
    await client.get("/enter", params={"token": access.key})
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get("/")).text)
    assert found is not None
    return found[1]


async def test_without_the_cookie_a_page_leads_to_the_sign_in_and_anything_else_is_refused(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
    for path in ("/", "/events?page=x", "/charts", "/problems", "/nowhere"):
        assert (await client.get(path)).status_code == 401


async def test_the_printed_address_lets_one_browser_in_once(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    entered = await client.get("/enter", params={"token": access.key})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "SameSite=strict" in entered.headers["set-cookie"]
    assert (await client.get("/enter", params={"token": access.key})).status_code == 303
    client.cookies.clear()
    assert (await client.get("/enter", params={"token": access.key})).status_code == 403


async def test_a_wrong_key_does_not_use_up_the_address(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    assert (await client.get("/enter", params={"token": "x"})).status_code == 403
    assert (await client.get("/enter", params={"token": access.key})).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::1]"])
async def test_a_name_of_somebody_else_is_not_answered(client: httpx.AsyncClient, access: OneTimeUrl, host: str) -> None:
    await _enter(client, access)
    assert (await client.get("/", headers={"Host": host})).status_code == 421
    assert (await client.get("/enter", params={"token": access.key}, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize("path", ["/sign-in", "/", "/static/dashboard.css", "/nowhere", "/events?page=x"])
async def test_every_answer_says_what_a_browser_may_do_with_it(
    client: httpx.AsyncClient, access: OneTimeUrl, path: str
) -> None:
    await _enter(client, access)
    headers = (await client.get(path)).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "origin", [{}, {"Origin": "null"}, {"Origin": "http://evil.example"}, ORIGIN | {"Sec-Fetch-Site": "cross-site"}]
)
async def test_a_form_of_another_page_changes_nothing(
    client: httpx.AsyncClient, access: OneTimeUrl, origin: dict[str, str]
) -> None:
    csrf = await _enter(client, access)
    assert (await client.post("/sign-out", data={"csrf": csrf}, headers=origin)).status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_a_form_needs_the_token_of_this_visit(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    csrf = await _enter(client, access)
    for data in ({}, {"csrf": "x"}, {"csrf": csrf + "x"}):
        assert (await client.post("/sign-out", data=data, headers=ORIGIN)).status_code in (403, 415)
    assert (await client.post("/sign-out", data={"csrf": csrf}, headers=ORIGIN)).status_code == 303
    assert (await client.get("/")).status_code == 401


async def test_a_form_in_another_shape_or_too_large_is_refused(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    csrf = await _enter(client, access)
    assert (await client.post("/explain", json={"csrf": csrf}, headers=ORIGIN)).status_code == 415
    large = await client.post("/explain", data={"csrf": csrf, "url": "x" * FORM_LIMIT}, headers=ORIGIN)
    assert large.status_code == 413
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await client.request(method, "/", headers=ORIGIN)).status_code == 405


async def test_a_stranger_sends_no_more_than_a_token_and_gets_no_further_by_the_beginning_of_a_path(
    client: httpx.AsyncClient,
) -> None:
    large = await client.post("/sign-in", data={"token": "x" * (64 << 10)}, headers=ORIGIN)
    assert large.status_code == 413
    for path in ("/sign-insight", "/enterprise", "/static"):
        assert (await client.get(path)).status_code == 401


def test_who_has_not_looked_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("remora.dashboard.viewer.time.monotonic", lambda: now)
    signed_in = SignedIn(idle=60)
    away, there = (signed_in.add(Viewer(name, None)) for name in ("away", "there"))
    now = 50.0
    assert signed_in.find(there)
    now = 70.0
    assert signed_in.find(there)
    assert signed_in.find(away) is None


class _Seeing:
    """One who may see these namespaces."""

    def __init__(self, *namespaces: str) -> None:
        self._namespaces = frozenset(namespaces)

    async def seen(self, namespaces: object) -> frozenset[str]:
        return self._namespaces


async def test_who_sees_some_namespaces_only_is_told_neither_of_controllers_nor_of_reloads(told: Told) -> None:
    access = OneTimeUrl(Viewer("you", None, rights=_Seeing("shop")))
    poller = Poller(told.ask, pause=PAUSE)
    polling = asyncio.create_task(poller.run())
    transport = httpx.ASGITransport(dashboard(poller, access))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        await _enter(client, access)
        assert "reloads" not in (await client.get("/")).text
        told.trouble = "secret-controller at 10.0.0.1"
        async with asyncio.timeout(30):
            while "No controller answers" not in (page := (await client.get("/")).text):
                await asyncio.sleep(0.1)
        assert "secret-controller" not in page
    polling.cancel()


async def test_the_map_shows_hosts_pods_sessions_and_problems(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    await _enter(client, access)
    page = (await client.get("/")).text
    for words in ("shop.example", "2 of 2 pods ready · 6 sessions", "AnnotationRefused", "<dt>live sessions</dt><dd>6</dd>"):
        assert words in page


@pytest.mark.parametrize("path", ["/", "/charts", "/timeline", "/problems"])
async def test_no_name_becomes_markup(client: httpx.AsyncClient, access: OneTimeUrl, told: Told, path: str) -> None:
    row = route(EVIL, EVIL, service=EVIL, namespace=EVIL, ingress=EVIL, reason=EVIL, requests={EVIL: 1})
    rows = [row, pod(EVIL, service=EVIL, namespace=EVIL, state="draining", why=EVIL, address=EVIL, sessions=1)]
    rows += [
        problem(EVIL, namespace=EVIL, field=EVIL, message=EVIL, consequence=EVIL, code=EVIL),
        change(objects=(EVIL,), reasons=(EVIL,)),
    ]
    told.report = report(*rows)
    await _enter(client, access)
    page = (await client.get(path, params={"q": EVIL if path == "/" else ""})).text
    assert EVIL not in page
    assert "alert(1)" in page or path == "/charts"
    assert page.count("<script") == 1


async def test_the_filter_is_the_servers_and_works_without_a_script(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    await _enter(client, access)
    page = (await client.get("/", params={"q": "web-abc-2"})).text
    assert "<b>2</b>" in page
    assert "<b>1</b>" not in page
    assert "Nothing on the map fits" in (await client.get("/", params={"q": "nothing"})).text


async def test_an_explanation_lights_the_way_and_keeps_the_cookie_out_of_addresses(
    client: httpx.AsyncClient, access: OneTimeUrl
) -> None:
    csrf = await _enter(client, access)
    data = {"csrf": csrf, "url": "http://shop.example/", "cookie": "a=1; b=2"}
    page = await client.post("/explain", data=data, headers=ORIGIN)
    assert page.url.query == b""
    assert "pod web-abc-2" in page.text
    assert "cookies: a=1, b=2" in page.text
    assert re.findall(r'class="tile ready( lit)?"', page.text) == ["", " lit"]
    refused = await client.post("/explain", data=data | {"url": "refused <b>"}, headers=ORIGIN)
    assert "refused &lt;b&gt; is no URL" in refused.text


async def test_controllers_that_do_not_answer_are_said_and_the_last_figures_stay(
    client: httpx.AsyncClient, access: OneTimeUrl, told: Told
) -> None:
    await _enter(client, access)
    told.trouble = "no controller answers <here>"
    async with asyncio.timeout(30):
        while "no controller answers &lt;here&gt;" not in (page := (await client.get("/")).text):
            await asyncio.sleep(0.2)
    assert "shop.example" in page


async def test_a_dashboard_whose_controllers_never_answered_says_why(
    client: httpx.AsyncClient, access: OneTimeUrl, told: Told
) -> None:
    told.trouble = "no controller runs here"
    await client.get("/enter", params={"token": access.key})
    page = await client.get("/")
    assert page.status_code == 200
    assert "no controller runs here" in page.text


async def test_an_open_page_of_nobody_is_told_to_load_itself_again(client: httpx.AsyncClient, access: OneTimeUrl) -> None:
    await _enter(client, access)
    answer = await client.get("/events", params={"page": "forgotten"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "event: reload\ndata:\n\n"


async def test_a_stream_sends_what_changed_and_nothing_else(told: Told) -> None:
    texts = iter(["one", "one", "two"])
    last = "two"

    async def roots(viewer: Viewer, query: object) -> list[Leaf]:
        nonlocal last
        last = next(texts, last)
        return [Leaf("a", f'<p id="a">{last}</p>'), Leaf("b", '<p id="b">\n</p>')]

    viewer = Viewer("you", None)
    page = OpenPage(viewer, roots, {}, await roots(viewer, {}))
    events = stream(page, {}, pause=0.01)
    assert await anext(events) == b"retry: 2000\n\n"
    async with asyncio.timeout(30):
        while not (event := await anext(events)).startswith(b"event"):
            pass
    assert event == b'event: changes\ndata: [["a","<p id=\\"a\\">two</p>"]]\n\n'
    again = stream(page, {}, pause=0.01)
    await anext(again)
    assert b'id=\\"b\\"' in await anext(again)


async def test_a_stream_ends_when_its_viewer_signs_out() -> None:
    async def roots(viewer: Viewer, query: object) -> list[Leaf]:
        return []

    page = OpenPage(Viewer("you", None), roots, {}, [])
    events = [event async for event in stream(page, {}, pause=0.01, is_in=lambda: False)]
    assert events[-1] == b"event: reload\ndata:\n\n"


async def test_nobody_is_asked_while_nobody_looks(told: Told) -> None:
    poller = Poller(told.ask)
    polling = asyncio.create_task(poller.run())
    await asyncio.sleep(0.05)
    assert told.questions == 0
    await poller.state()
    assert told.questions == 1
    polling.cancel()
