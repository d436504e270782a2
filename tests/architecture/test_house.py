"""The house is as ARCHITECTURE.md and the contracts say."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {path.name for path in (ROOT / "src" / "remora").iterdir() if (path / "__init__.py").exists()}


def test_every_room_is_on_the_page_and_in_the_contract() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == PACKAGES
    (layers, *_) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert set(re.findall(r"\w+", " ".join(layers["layers"]))) == PACKAGES


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text())
        if not link.startswith("http") and not (page.parent / link).exists()
    ]
    assert broken == []


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, remora.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"aiohttp", "kubernetes_asyncio", "starlette", "uvicorn", "cryptography", "rich.console", "asyncio"}
    assert heavy & set(loaded) == set()


def test_the_entry_imports_nothing_before_it_can_take_an_interruption() -> None:
    code = "import sys, remora.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("remora")] == ["remora", "remora.__main__"]
