"""The documentation builds as a site, with every link and anchor looked at."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    # Its author's advertisement is no warning of ours.
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(place)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return place


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages <= {str(page.relative_to(site).with_suffix("")) for page in site.rglob("*.html")}


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"""<(?:script|img|iframe|link(?![^>]*rel="?canonical))[^>]*(?:src|href)="?(https?:)?//""")
    assert [str(page) for page in site.rglob("*.html") if fetched.search(page.read_text())] == []


def test_a_pipe_in_code_in_a_table_is_shown_as_it_is_typed(site: Path) -> None:
    assert "<code>-o, --output &lt;table|wide|json|yaml&gt;</code>" in (site / "commands.html").read_text()
    assert [str(page) for page in site.rglob("*.html") if re.search(r"<td>.*<code>[^<]*\\\|", page.read_text())] == []
