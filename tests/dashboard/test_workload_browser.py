"""The workload pages in a real Chromium: live, by keyboard, under the policy that allows no inline script."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from remora.kube.credentials import from_kubeconfig
from remora.testing.local import LocalCluster, eventually, local_cluster
from tests.cluster.small_cluster import SERVER, deployment
from tests.dashboard.served import served
from tests.support.browser import CHROMIUM, FLAGS, PATIENCE, needs_chromium

APPS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">"
TALKER = f"""
import itertools, time
print({HOSTILE!r}, flush=True)
for n in itertools.count():
    print('line', n, flush=True)
    time.sleep(0.1)
"""

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster() as made:
        made.add_image("server", sys.executable, "-c", SERVER)
        made.add_image("talker", sys.executable, "-c", TALKER)
        made.request("POST", APPS, deployment("web"))
        container = {"name": "main", "image": "talker"}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        made.request("POST", PODS, {"metadata": {"name": "talker"}, "spec": spec})
        yield made


@pytest.fixture(scope="module")
def context(cluster: LocalCluster) -> Iterator[BrowserContext]:
    with served(lambda: from_kubeconfig(str(cluster.kubeconfig))) as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(base_url=made.url)
        context.set_default_timeout(PATIENCE)
        first = context.new_page()
        first.goto(f"/enter?token={made.key}")
        first.close()
        yield context
        browser.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing may go wrong: no script's error, and nothing that the content policy stops."""
    made, wrong = context.new_page(), list[str]()
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    yield made
    made.close()
    assert [text for text in wrong if "the server responded with a status of 4" not in text] == []


def test_a_deployment_is_scaled_by_keyboard_and_its_pods_come(page: Page) -> None:
    page.goto("/workloads/default/deployments/web")
    field = page.get_by_role("spinbutton", name="Pods")
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="is to have 3 pods")).to_be_visible(timeout=PATIENCE)
    # Without a reload: the rows arrive by themselves.
    expect(page.locator("#pods tbody tr").filter(has_text="Running")).to_have_count(3, timeout=PATIENCE)
    expect(page.locator("#summary")).to_contain_text("as wanted", timeout=PATIENCE)


def test_what_is_made_elsewhere_appears_in_the_list_and_goes_again(page: Page, cluster: LocalCluster) -> None:
    page.goto("/workloads")
    cluster.request("POST", APPS, deployment("later", replicas=0))
    line = page.locator("article.workload").filter(has_text="later")
    expect(line).to_be_visible(timeout=PATIENCE)
    cluster.request("DELETE", f"{APPS}/later")
    expect(line).to_have_count(0, timeout=PATIENCE)


def test_a_log_is_followed_paused_and_filtered_and_is_text(page: Page, cluster: LocalCluster) -> None:
    eventually(lambda: cluster.request("GET", f"{PODS}/talker").get("status", {}).get("phase") == "Running")
    page.goto("/pods/default/talker/logs?lines=5000")
    expect(page.locator("#log-state")).to_have_text("following", timeout=PATIENCE)
    lines = page.locator("#log .entry")
    expect(lines.filter(has_text=HOSTILE)).to_have_count(1, timeout=PATIENCE)
    expect(page).not_to_have_title("broken in")
    assert page.locator("#log img").count() == 0
    before = lines.count()
    page.wait_for_function("count => document.querySelectorAll('#log .entry').length > count", arg=before)
    page.get_by_role("button", name="Pause").press("Enter")
    expect(page.locator("#log-count")).to_contain_text("more while paused", timeout=PATIENCE)
    page.get_by_role("button", name="Go on").press("Enter")
    expect(page.locator("#log-count")).not_to_contain_text("paused", timeout=PATIENCE)
    page.get_by_label("Only lines with").fill("LINE 1")
    expect(page.locator("#log .entry:visible").filter(has_text="line 2")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#log .entry:visible").filter(has_text="line 1").first).to_be_visible(timeout=PATIENCE)


def test_a_mistake_in_a_manifest_is_shown_then_mended_then_applied(page: Page, cluster: LocalCluster) -> None:
    page.goto("/apply")
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typed}\ndatta: {a: b}\n"
    field = page.get_by_label("Manifest", exact=False).last
    field.fill(manifest)
    page.get_by_role("button", name="Check").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("1 refused", timeout=PATIENCE)
    expect(page.locator(".results")).to_contain_text("datta")
    field.fill(manifest.replace("datta", "data"))
    page.get_by_role("button", name="Check").press("Enter")
    page.get_by_role("button", name="Apply 1 object").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Applied: 1 object.")).to_be_visible(timeout=PATIENCE)
    assert cluster.request("GET", "/api/v1/namespaces/default/configmaps/typed")["data"] == {"a": "b"}


def test_a_file_is_read_into_the_field(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text("kind: ConfigMap\n")
    page.goto("/apply")
    page.get_by_label("Read a file").set_input_files(file)
    expect(page.locator("#manifest")).to_have_value("kind: ConfigMap\n")


def test_hostile_text_of_objects_is_shown_as_text(page: Page, cluster: LocalCluster) -> None:
    about = {"kind": "Pod", "namespace": "default", "name": HOSTILE, "uid": HOSTILE}
    event = {"metadata": {"name": "odd"}, "involvedObject": about, "reason": HOSTILE, "message": HOSTILE, "type": HOSTILE}
    cluster.request("POST", "/api/v1/namespaces/default/events", event)
    template = {"name": "main", "image": HOSTILE}
    pod = {"metadata": {"name": "odd-image"}, "spec": {"containers": [template]}}
    cluster.request("POST", PODS, pod)
    for path in ("/objects/events", "/workloads", "/pods/default/odd-image"):
        page.goto(path)
        if path != "/workloads":
            expect(page.get_by_text(HOSTILE).first).to_be_visible(timeout=PATIENCE)
        expect(page).not_to_have_title("broken in")
        assert page.locator("main img").count() == 0


def test_no_page_is_wider_than_a_telephone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/workloads", "/workloads/default/deployments/web", "/objects/services", "/objects/events", "/apply"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
