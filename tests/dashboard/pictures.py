"""Makes the pictures of the documentation: `make pictures`. A cluster of its own, visitors with sessions, a real browser."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page

from remora.testing.local import local_cluster
from tests.dashboard.sample import apply, running_dashboard, shop, visitors, wait_for_answers
from tests.support.browser import CHROMIUM, browsing

SECONDS = 100.0
"""How long visitors come before the pictures are taken, so that charts have something to show."""


def main(place: Path) -> None:
    if not CHROMIUM:
        sys.exit("chromium is needed: apt-get install chromium")
    place.mkdir(parents=True, exist_ok=True)
    with local_cluster(ingress=True) as cluster, tempfile.TemporaryDirectory() as home:
        apply(cluster, shop(replicas=4))
        wait_for_answers(cluster, "sticky.localhost", "shop.localhost")
        with visitors(cluster, 40), running_dashboard(cluster, Path(home), "--read-only") as address:

            def scale(replicas: int) -> None:
                path = "/apis/apps/v1/namespaces/default/deployments/sticky/scale"
                patch = {"spec": {"replicas": replicas}}
                cluster.request("PATCH", path, patch, content_type="application/merge-patch+json")

            asyncio.run(_take(address, place, Path(home), scale))


async def _take(address: str, place: Path, home: Path, scale) -> None:  # type: ignore[no-untyped-def]
    base = address.partition("/enter")[0]
    async with browsing(home / "chromium", viewport={"width": 1280, "height": 860}, device_scale_factor=1) as context:
        page = await context.new_page()
        await page.goto(address)
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(scale, 5)
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(scale, 4)
        await page.locator(".tile.draining, .tile.gone").first.wait_for()
        await _shoot(page, place / "dashboard-map.png")
        await page.emulate_media(color_scheme="dark")
        await page.goto(f"{base}/charts")
        await page.locator("#chart-codes svg").first.wait_for()
        await _shoot(page, place / "dashboard-charts.png")
        await page.goto(f"{base}/timeline")
        await _shoot(page, place / "dashboard-timeline.png")
        await page.emulate_media(color_scheme="light")
        await page.goto(base)
        await page.locator("summary", has_text="Where does").click()
        await page.locator("#url").fill("http://sticky.localhost/")
        await page.locator("#cookie").fill("stick=d9c1a7")
        await page.get_by_role("button", name="Explain").click()
        await page.locator(".answer").wait_for()
        await asyncio.sleep(3)
        await _shoot(page, place / "dashboard-explain.png", height=1100)
        await page.goto(f"{base}/workloads")
        await page.locator("summary", has_text="4 Running").first.click()
        await _shoot(page, place / "dashboard-workloads.png")
        await page.set_viewport_size({"width": 360, "height": 780})
        await page.goto(base)
        await asyncio.sleep(3)
        await _shoot(page, place / "dashboard-narrow.png", height=780)


async def _shoot(page: Page, path: Path, *, height: int = 0) -> None:
    size = page.viewport_size or {"width": 1280, "height": 860}
    whole = await page.evaluate("document.body.scrollHeight")
    await page.set_viewport_size({"width": size["width"], "height": height or max(size["height"], whole)})
    await asyncio.sleep(1.5)
    await page.screenshot(path=path)
    await page.set_viewport_size({"width": size["width"], "height": size["height"]})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
