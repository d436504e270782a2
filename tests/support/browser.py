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


@asynccontextmanager
async def browsing(profile: Path, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own; ends with an assertion that no page had trouble."""
    trouble: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
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
