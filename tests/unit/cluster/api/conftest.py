"""A registry on a file of its own, with the namespace `default`, at a time that stands still."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remora.cluster.api.registry import Registry
from remora.cluster.store import Store

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = Store(tmp_path / "store.db")
    made = Registry(store=store, now=lambda: NOW)
    await made.create("namespaces", {"metadata": {"name": "default"}})
    yield made
    store.close()
