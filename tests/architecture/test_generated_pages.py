"""Pages that are made from tables are as the tables are now; `make docs` writes them."""

import os
from pathlib import Path

from remora.cli.controller_flags import FLAGS
from remora.cli.render.flags_page import render_flags_page
from remora.report.annotation_page import render_annotation_page
from remora.report.configmap_page import render_configmap_page
from remora.report.snippet_page import render_snippet_page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_annotation_page_is_fresh() -> None:
    page = DOCS / "annotations.md"
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(render_annotation_page())
    assert page.read_text() == render_annotation_page()


def test_the_page_of_the_configmap_is_fresh() -> None:
    page = DOCS / "configmap.md"
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(render_configmap_page())
    assert page.read_text() == render_configmap_page()


def test_the_page_of_snippets_is_fresh() -> None:
    page = DOCS / "snippets.md"
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(render_snippet_page())
    assert page.read_text() == render_snippet_page()


def test_the_page_of_flags_is_fresh() -> None:
    page = DOCS / "flags.md"
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(render_flags_page(FLAGS))
    assert page.read_text() == render_flags_page(FLAGS)
