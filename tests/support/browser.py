"""A real Chromium, driven by Playwright: Debian's, where there is one.

Whatever a page says on the console, and whatever its policy keeps it from doing, is a failure of the test that opened it.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, async_playwright

CHROMIUM = shutil.which("chromium") or ""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine: apt-get install chromium")
PATIENCE = 30_000.0
"""Milliseconds that anything may take on a busy machine."""

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""

POOR_CONTRAST = """
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
"""Texts that stand out from what is behind them by less than 4.5."""


@asynccontextmanager
async def browsing(profile: Path, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own; ends with an assertion that no page had trouble."""
    trouble: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A form that is refused is shown as a page, which Chromium remarks upon.
        if message.type in ("error", "warning") and "a status of 422" not in message.text:
            trouble.append(message.text)

    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=list(FLAGS), **options
        )
        context.set_default_timeout(PATIENCE)
        context.on("console", hear)
        context.on("weberror", lambda error: trouble.append(str(error.error)))
        await context.add_init_script(_WATCH)
        yield context
        for page in context.pages:
            trouble += await page.evaluate("window.violations || []")
        await context.close()
    assert trouble == []
