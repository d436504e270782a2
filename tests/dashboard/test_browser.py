"""The pages in a real browser: live, by keyboard, under the policy that allows no inline script."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from remora.kube.credentials import from_kubeconfig
from remora.observe.traffic_report import PodTraffic, TrafficReport
from remora.testing.local import LocalCluster
from tests.cluster.small_cluster import deployment
from tests.support.browser import PATIENCE, POOR_CONTRAST, browsing, needs_chromium
from tests.support.dashboard import Served, Told, served
from tests.support.traffic import change, pod, problem, report, route

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
APPS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
CHATTER = f"""
import itertools, time
print({EVIL!r}, flush=True)
for n in itertools.count():
    print('line', n, flush=True)
    time.sleep(0.1)
"""
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
def dashboard(cluster: LocalCluster) -> Iterator[Served]:
    cluster.add_image("chatter", sys.executable, "-c", CHATTER)
    cluster.request("POST", APPS, deployment("front"))
    spec = {"containers": [{"name": "main", "image": "chatter"}], "terminationGracePeriodSeconds": 0}
    cluster.request("POST", PODS, {"metadata": {"name": "chatter"}, "spec": spec})
    with served(Told(_usual()), lambda: from_kubeconfig(str(cluster.kubeconfig))) as one:
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
    await expect(page.locator("#aloud")).to_have_text("1 pod ready, 0 draining, 1 problem")


async def test_an_open_problem_stays_open_while_figures_change(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    await page.get_by_text("1 problem: AnnotationRefused").click()
    first = dashboard.told.report.routes[0]
    told = dashboard.told
    changed = msgspec.structs.replace(first, requests={"200": 5000})
    told.report = msgspec.structs.replace(told.report, routes=(changed, *told.report.routes[1:]))
    await expect(page.locator(".rule").filter(has_text="AnnotationRefused")).not_to_contain_text(" 0/s")
    await expect(page.get_by_text("the default is used")).to_be_visible()


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


_NAMELESS = "all => all.filter(one => !(one.textContent.trim() || one.labels?.length || one.ariaLabel)).length"
_TWICE = "all => all.map(one => one.id).filter((id, index, ids) => ids.indexOf(id) !== index)"


@pytest.mark.parametrize("title", ["Map", "Charts", "Time line", "Problems"])
async def test_a_page_is_sound(page: Page, dashboard: Served, title: str) -> None:
    """Text of others is never run; landmarks, one heading, names for all one can do; contrast; nothing too wide."""
    path = "/" if title == "Map" else f"/{title.replace(' ', '').lower()}"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    rows = [
        route(EVIL, EVIL, service=EVIL, namespace=EVIL, ingress=EVIL),
        problem(EVIL, namespace=EVIL, message=EVIL, field=EVIL),
        change(objects=(EVIL,), reasons=(EVIL,)),
        pod(EVIL, service=EVIL, namespace=EVIL, why=EVIL, state="draining"),
    ]
    told = report(*rows, route(), pod("web-abc-1", sessions=1), pod("web-abc-2", state="gone", why="it is no more"))
    dashboard.told.report = msgspec.structs.replace(told, at=dashboard.told.report.at)
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    await _at_rest(page, path, dashboard)
    if path != "/charts":
        await expect(page.get_by_text(EVIL).first).to_be_attached()
    assert await page.locator("img[src=x]").count() == 0
    assert await page.locator("h1").all_text_contents() == [title]
    for landmark in ("banner", "navigation", "main", "search"):
        await expect(page.get_by_role(landmark)).to_have_count(1)
    await expect(page.locator("nav [aria-current=page]")).to_have_text(title)
    assert await page.locator("button, a, input:not([type=hidden]), summary").evaluate_all(_NAMELESS) == 0
    assert await page.locator("[id]").evaluate_all(_TWICE) == []
    assert await page.evaluate(POOR_CONTRAST) == []
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert await page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(14, 20, 19)"
    assert await page.evaluate(POOR_CONTRAST) == []
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert dialogs == []


async def test_charts_are_drawn_and_can_be_read_as_tables(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/charts", dashboard)
    await expect(page.locator("#chart-sessions svg path.series").first).to_be_attached()
    await page.locator("#chart-sessions summary").click()
    await expect(page.locator("#chart-sessions th", has_text="web-abc-1")).to_be_visible()
    # A table that is open stays open when the chart is drawn anew.
    await page.locator("#chart-sessions").evaluate("one => { one.dataset.old = 'yes'; }")
    await expect(page.locator("#chart-sessions:not([data-old])")).to_be_attached()
    await expect(page.locator("#chart-sessions th", has_text="web-abc-1")).to_be_visible()
    label = re.compile("Live sessions per pod: .*web-abc-1 4, web-abc-2 2")
    await expect(page.locator("#chart-sessions svg[role=img]")).to_have_attribute("aria-label", label)


async def test_a_page_says_that_nobody_answers_and_goes_on_by_itself(page: Page, dashboard: Served) -> None:
    await _at_rest(page, "/", dashboard)
    dashboard.told.trouble = "no controller answers"
    await expect(page.locator("#notes")).to_contain_text("no controller answers")
    await expect(page.locator("#liveness")).to_have_text("out of date")
    dashboard.told.trouble = ""
    await expect(page.locator("#notes")).not_to_contain_text("no controller answers")
    await expect(page.locator("#liveness")).to_have_text("live")


async def test_of_many_pods_one_change_touches_one_tile(page: Page, dashboard: Served) -> None:
    many = tuple(
        pod(f"web-abc-{number}", sessions=number, address=f"10.0.{number // 250}.{number % 250}") for number in range(300)
    )
    _change(dashboard, *many)
    await _at_rest(page, "/", dashboard)
    await expect(page.locator(".tile")).to_have_count(300)
    await page.evaluate(
        "window.replaced = 0; new MutationObserver(all => { window.replaced += all.length; })"
        ".observe(document.getElementById('map'), {childList: true, subtree: true})"
    )
    _change(dashboard, msgspec.structs.replace(many[0], sessions=7777), *many[1:])
    await expect(page.locator(".tile").first).to_contain_text("sessions7.8k")
    assert 0 < await page.evaluate("window.replaced") < 10


async def test_a_deployment_is_scaled_by_keyboard_and_its_pods_come(page: Page, dashboard: Served) -> None:
    await page.goto(f"{dashboard.base}/workloads/default/deployments/front")
    await page.get_by_role("spinbutton", name="Pods").focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("2")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="is to have 2 pods")).to_be_visible()
    # Without a reload: the rows arrive by themselves.
    await expect(page.locator("#pods tbody tr").filter(has_text="Running")).to_have_count(2)
    await expect(page.locator("#summary")).to_contain_text("as wanted")


async def test_what_is_made_elsewhere_appears_in_the_list_and_goes_again(
    page: Page, dashboard: Served, cluster: LocalCluster
) -> None:
    await page.goto(f"{dashboard.base}/workloads")
    await asyncio.to_thread(cluster.request, "POST", APPS, deployment("later", replicas=0))
    line = page.locator("article.workload").filter(has_text="later")
    await expect(line).to_be_visible()
    await asyncio.to_thread(cluster.request, "DELETE", f"{APPS}/later")
    await expect(line).to_have_count(0)


async def test_a_log_is_followed_paused_and_filtered_and_is_text(page: Page, dashboard: Served) -> None:
    await page.goto(f"{dashboard.base}/pods/default/chatter")
    await expect(page.locator("#summary")).to_contain_text("Running")
    await page.goto(f"{dashboard.base}/pods/default/chatter/logs?lines=5000")
    await expect(page.locator("#log-state")).to_have_text("following")
    lines = page.locator("#log .entry")
    await expect(lines.filter(has_text=EVIL)).to_have_count(1)
    assert await page.locator("#log img").count() == 0
    before = await lines.count()
    await page.wait_for_function("count => document.querySelectorAll('#log .entry').length > count", arg=before)
    await page.get_by_role("button", name="Pause").press("Enter")
    await expect(page.locator("#log-count")).to_contain_text("more while paused")
    await page.get_by_role("button", name="Go on").press("Enter")
    await expect(page.locator("#log-count")).not_to_contain_text("paused")
    await page.get_by_label("Only lines with").fill("LINE 1")
    await expect(page.locator("#log .entry:visible").filter(has_text="line 2")).to_have_count(0)
    await expect(page.locator("#log .entry:visible").filter(has_text="line 1").first).to_be_visible()


async def test_a_manifest_is_read_from_a_file_its_mistake_shown_then_mended_then_applied(
    page: Page, dashboard: Served, cluster: LocalCluster, tmp_path: Path
) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typed}\ndata: {a: b}\n"
    file = tmp_path / "manifest.yaml"
    file.write_text(manifest)
    await page.goto(f"{dashboard.base}/apply")
    await page.get_by_label("Read a file").set_input_files(file)
    field = page.locator("#manifest")
    await expect(field).to_have_value(manifest)
    await field.fill(manifest.replace("data: {a", "datta: {a"))
    await page.get_by_role("button", name="Check").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("1 refused")
    await expect(page.locator(".results")).to_contain_text("datta")
    await field.fill(manifest)
    await page.get_by_role("button", name="Check").press("Enter")
    await page.get_by_role("button", name="Apply 1 object").press("Enter")
    await expect(page.get_by_role("status").filter(has_text="Applied: 1 object.")).to_be_visible()
    made = await asyncio.to_thread(cluster.request, "GET", "/api/v1/namespaces/default/configmaps/typed")
    assert made["data"] == {"a": "b"}


async def test_no_page_of_workloads_runs_others_text_or_is_wider_than_a_telephone(
    page: Page, dashboard: Served, cluster: LocalCluster
) -> None:
    about = {"kind": "Pod", "namespace": "default", "name": EVIL, "uid": EVIL}
    event = {"metadata": {"name": "odd"}, "involvedObject": about, "reason": EVIL, "message": EVIL, "type": EVIL}
    odd = {"metadata": {"name": "odd-image"}, "spec": {"containers": [{"name": "main", "image": EVIL}]}}
    await asyncio.to_thread(cluster.request, "POST", "/api/v1/namespaces/default/events", event)
    await asyncio.to_thread(cluster.request, "POST", PODS, odd)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/workloads", "/workloads/default/deployments/front", "/objects/services", "/objects/events", "/apply"):
        await page.goto(dashboard.base + path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        if path == "/objects/events":
            await expect(page.get_by_text(EVIL).first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert await page.locator("main img").count() == 0


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
