"""Pages that are made from tables are as the tables are now; `make docs` writes them."""

import os
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from remora.cli.controller_flags import FLAGS
from remora.cli.main import app
from remora.cli.render.changes_page import render_changes_page
from remora.cli.render.commands_page import render_commands_page
from remora.cli.render.flags_page import render_flags_page
from remora.cli.render.metrics_page import render_metrics_page
from remora.report.annotation_page import render_annotation_page
from remora.report.configmap_page import render_configmap_page
from remora.report.snippet_page import render_snippet_page
from tests.support.scrape import every_metric

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


def test_the_page_of_commands_is_fresh() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    page, wanted = DOCS / "commands.md", render_commands_page(root)
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted


def test_the_page_of_metrics_is_fresh_and_has_all_that_are_told() -> None:
    families = every_metric()
    assert [family.name for family in families if not family.samples] == []
    page, wanted = DOCS / "metrics.md", render_metrics_page(families)
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted


def test_the_page_of_changes_is_fresh() -> None:
    pieces = {int(file.name.partition(".")[0]): file.read_text() for file in (DOCS.parent / "changes").glob("*.md")}
    page, wanted = DOCS / "changes.md", render_changes_page(pieces)
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        page.write_text(wanted)
    assert page.read_text() == wanted
