"""The pages of traffic in a real browser."""

import re
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from remora.observe.traffic_report import PodTraffic, TrafficReport
from tests.support.browser import PATIENCE, browsing, needs_chromium
from tests.support.dashboard import Served, Told, served
from tests.support.traffic import change, pod, problem, report, route

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
expect.set_options(timeout=PATIENCE)


def _usual() -> TrafficReport:
    rows: list[object] = [
        route(),
        route(path="/cart"),
        route("blog.example", namespace="blog", service="blog", does="closed", reason="refused"),
    ]
    rows += [pod("web-abc-1", sessions=4, requests=10, response_ms=12), pod("web-abc-2", sessions=2, requests=9, response_ms=9)]
    return report(*rows, problem(), change(), change(kind="reload", objects=(), reasons=("a new port",)))


@pytest.fixture(scope="module")
def dashboard() -> Iterator[Served]:
    with served(Told(_usual())) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(dashboard: Served, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    async with browsing(tmp_path_factory.mktemp("chromium")) as one:
        page = await one.new_page()
        await page.goto(dashboard.url)
        await expect(page).to_have_url(f"{dashboard.base}/")
        await page.close()
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, dashboard: Served) -> AsyncIterator[Page]:
    dashboard.told.report = msgspec.structs.replace(_usual(), at=dashboard.told.report.at)
    one = await context.new_page()
    yield one
    assert await one.evaluate("window.violations") == []
    await one.close()


async def _at_rest(page: Page, path: str, dashboard: Served) -> None:
    await page.goto(dashboard.base + path)
    await expect(page.locator("#liveness")).to_have_text("live")


def _change(dashboard: Served, *pods: PodTraffic) -> None:
    told = dashboard.told
    told.report = msgspec.structs.replace(told.report, pods=pods)


async def test_pods_come_drain_and_go_while_one_looks_and_the_others_stay(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    tiles = page.locator(".tile")
    await expect(tiles).to_have_count(2)
    await tiles.nth(0).evaluate("tile => { tile.dataset.mine = 'yes'; }")
    _change(
        dashboard,
        pod("web-abc-1", sessions=5, requests=10, response_ms=12),
        pod("web-abc-2", state="draining", sessions=2, why="deleted"),
        pod("web-abc-3", sessions=0),
    )
    await expect(tiles).to_have_count(3)
    await expect(tiles.nth(0)).to_contain_text("sessions5")
    await expect(tiles.nth(1)).to_contain_text("sessions left2")
    await expect(tiles.nth(1)).to_contain_text("draining")
    assert await tiles.nth(0).evaluate("tile => tile.dataset.mine") == "yes"
    _change(dashboard, pod("web-abc-3", sessions=0))
    await expect(tiles).to_have_count(1)
    await expect(page.locator("#aloud")).to_have_text("1 pods ready, 0 draining, 1 problems")


async def test_an_open_problem_stays_open_while_figures_change(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    await page.get_by_text("1 problem: AnnotationRefused").click()
    first = dashboard.told.report.routes[0]
    told = dashboard.told
    changed = msgspec.structs.replace(first, requests={"200": 5000})
    told.report = msgspec.structs.replace(told.report, routes=(changed, *told.report.routes[1:]))
    await expect(page.locator(".rule").filter(has_text="AnnotationRefused")).not_to_contain_text(" 0/s")
    await expect(page.get_by_text("the default is used")).to_be_visible()


async def test_text_of_others_is_shown_and_never_run(page: Page, dashboard: Served) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await _at_rest(page, "/", dashboard)
    rows = [
        route(EVIL, EVIL, service=EVIL, namespace=EVIL, ingress=EVIL),
        problem(EVIL, namespace=EVIL, message=EVIL, field=EVIL),
    ]
    evil = report(
        *rows, pod(EVIL, service=EVIL, namespace=EVIL, why=EVIL, state="draining"), change(objects=(EVIL,), reasons=(EVIL,))
    )
    dashboard.told.report = msgspec.structs.replace(evil, at=dashboard.told.report.at)
    await expect(page.locator("h2", has_text="alert(1)")).to_have_text(EVIL)
    for path in ("/problems", "/timeline", "/charts"):
        await _at_rest(page, path, dashboard)
        assert await page.locator("img[src=x]").count() == 0
    assert dialogs == []


async def test_the_keyboard_is_enough(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the content")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.locator("#q")).to_be_focused()
    await page.keyboard.type("web-abc-2")
    await expect(page).to_have_url(re.compile(r"\?q=web-abc-2$"))
    await expect(page.locator(".tile")).to_have_count(1)
    await page.locator("summary", has_text="Where does a request go?").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("#url")).to_be_focused()
    await page.keyboard.type("http://shop.example/")
    await page.keyboard.press("Enter")
    await expect(page.locator(".tile.lit")).to_contain_text("this pod")
    await expect(page.locator(".answer")).to_have_text("pod web-abc-2")
    # The way stays lit while figures change.
    _change(dashboard, pod("web-abc-1", sessions=4), pod("web-abc-2", sessions=77))
    await expect(page.locator(".tile.lit")).to_contain_text("sessions77")
    await expect(page.locator(".tile.lit")).to_have_count(1)


async def test_every_page_has_its_landmarks_one_heading_and_names_for_all_it_lets_one_do(page: Page, dashboard: Served) -> None:
    for path, title in {"/": "Map", "/charts": "Charts", "/timeline": "Time line", "/problems": "Problems"}.items():
        await _at_rest(page, path, dashboard)
        assert await page.locator("h1").all_text_contents() == [title]
        for landmark in ("banner", "navigation", "main", "search"):
            await expect(page.get_by_role(landmark)).to_have_count(1)
        await expect(page.locator("nav [aria-current=page]")).to_have_text(title)
        nameless = "all => all.filter(one => !(one.textContent.trim() || one.labels?.length || one.ariaLabel)).length"
        assert await page.locator("button, a, input:not([type=hidden]), summary").evaluate_all(nameless) == 0
        ids = "all => all.map(one => one.id).filter((id, index, ids) => ids.indexOf(id) !== index)"
        assert await page.locator("[id]").evaluate_all(ids) == []


_CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || !one.checkVisibility()) continue;
    if (one.closest("svg, .hidden, .skip, script, style")) continue;
    const [a, b] = [luminance(parse(getComputedStyle(one).color)), luminance(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${one.className} ${one.textContent.slice(0, 20)} ${ratio.toFixed(1)}`);
  }
  return poor;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_in_both_schemes(page: Page, dashboard: Served, scheme: str) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    _change(
        dashboard,
        pod("web-abc-1", state="draining", sessions=1, why="deleted"),
        pod("web-abc-2", state="gone", why="it is no more"),
    )
    for path in ("/", "/timeline", "/problems"):
        await _at_rest(page, path, dashboard)
        assert await page.evaluate(_CONTRAST) == []
    background = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(14, 20, 19)") is (scheme == "dark")


async def test_nothing_is_wider_than_a_narrow_screen(page: Page, dashboard: Served) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", "/charts", "/timeline", "/problems"):
        await _at_rest(page, path, dashboard)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360, path


async def test_charts_are_drawn_and_can_be_read_as_tables(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/charts", dashboard)
    await expect(page.locator("#chart-sessions svg path.series").first).to_be_attached()
    await page.locator("#chart-sessions summary").click()
    await expect(page.locator("#chart-sessions th", has_text="web-abc-1")).to_be_visible()
    # A table that is open stays open when the chart is drawn anew.
    await page.locator("#chart-sessions").evaluate("one => { one.dataset.old = 'yes'; }")
    await expect(page.locator("#chart-sessions:not([data-old])")).to_be_attached()
    await expect(page.locator("#chart-sessions th", has_text="web-abc-1")).to_be_visible()
    label = re.compile("Live sessions per pod: web-abc-1 4, web-abc-2 2")
    await expect(page.locator("#chart-sessions svg[role=img]")).to_have_attribute("aria-label", label)


async def test_a_page_says_that_nobody_answers_and_goes_on_by_itself(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    dashboard.told.trouble = "no controller answers"
    await expect(page.locator("#notes")).to_contain_text("no controller answers")
    dashboard.told.trouble = ""
    await expect(page.locator("#notes")).not_to_contain_text("no controller answers")


async def test_two_thousand_pods_are_shown_and_one_change_sends_one_tile(page: Page, dashboard: Served) -> None:
    many = tuple(
        pod(f"web-abc-{number}", sessions=number, address=f"10.0.{number // 250}.{number % 250}") for number in range(2000)
    )
    _change(dashboard, *many)
    await _at_rest(page, "/", dashboard)
    await expect(page.locator(".tile")).to_have_count(2000)
    await page.evaluate(
        "window.replaced = 0; new MutationObserver(all => { window.replaced += all.length; })"
        ".observe(document.getElementById('map'), {childList: true, subtree: true})"
    )
    _change(dashboard, msgspec.structs.replace(many[0], sessions=7777), *many[1:])
    await expect(page.locator(".tile").first).to_contain_text("sessions7.8k")
    assert 0 < await page.evaluate("window.replaced") < 10


async def test_who_signs_out_in_one_page_is_out_in_all(context: BrowserContext, dashboard: Served) -> None:
    first, second = await context.new_page(), await context.new_page()
    await _at_rest(first, "/", dashboard)
    await first.bring_to_front()
    await second.goto(dashboard.base)
    await second.get_by_role("button", name="Sign out").click()
    await expect(second.locator("h1")).to_have_text("Sign in")
    await first.bring_to_front()
    await expect(first.locator("h1")).to_have_text("Sign in")
    for page in (first, second):
        await page.close()
