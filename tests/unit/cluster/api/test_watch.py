"""What clients with a selection see of changes, and what a bookmark promises."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from remora.cluster.api.http_view import View
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.api.selectors import parse_field_selector, parse_label_selector
from remora.cluster.api.watch import Selection, WatchOptions, seen_as, stream
from remora.cluster.store import Store

NOTHING = Selection(parse_label_selector(""), parse_field_selector(""))
RED = Selection(parse_label_selector("colour=red"), parse_field_selector(""))


def labelled(colour: str) -> dict[str, Any]:
    return {"metadata": {"name": "a", "labels": {"colour": colour}}}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    store = Store(tmp_path / "store.db")
    yield Registry(store=store)
    store.close()


@pytest.mark.parametrize(("colour", "seen"), [("red", "MODIFIED"), ("blue", "DELETED")])
def test_an_object_whose_past_is_forgotten_leaves_a_selection_all_the_same(colour: str, seen: str) -> None:
    assert seen_as(WatchEvent("MODIFIED", labelled(colour), 7), RED) == seen


def test_the_end_of_an_object_whose_past_is_forgotten_is_told_to_those_who_select_it() -> None:
    assert seen_as(WatchEvent("DELETED", labelled("red"), 7), RED) == "DELETED"
    assert seen_as(WatchEvent("DELETED", labelled("blue"), 7), RED) == ""


async def test_a_bookmark_names_no_version_whose_changes_were_not_sent(registry: Registry) -> None:
    await registry.create("namespaces", {"metadata": {"name": "first"}})
    row = registry.resources.stored("namespaces")
    view = View(row=row, target="", include="Metadata", now=datetime.now(UTC))
    options = WatchOptions(selection=NOTHING, timeout=20, bookmarks=True, marks_initial_end=True)
    others: list[asyncio.Task[Any]] = []

    def version() -> int:
        # As if somebody had written in this very turn of the event loop.
        if len(others) < 3:
            others.append(asyncio.create_task(asyncio.sleep(0)))
            registry._store.put("namespaces", {"metadata": {"name": f"n{len(others)}"}})
        return registry.version

    told = 0
    lines = stream(registry.watch("namespaces"), view, options, version=version)
    async for line in lines:
        event = json.loads(line)
        found = int(event["object"]["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            assert found == told
            break
        told = max(told, found)
    await lines.aclose()  # type: ignore[attr-defined]
