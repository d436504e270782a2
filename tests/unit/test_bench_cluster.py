"""What the bench of the local cluster creates, which must be what clients create."""

from pathlib import Path

import yaml

from bench.api_load import kinds, percentile
from bench.cluster_life import ECHO, FASTAPI
from remora.cluster.api.registry import Registry
from remora.cluster.api.resources import RESOURCES
from remora.cluster.store import Store


async def test_what_is_created_and_applied_is_accepted(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    registry = Registry(store=store)
    await registry.create("namespaces", {"metadata": {"name": "default"}})
    applied = [obj for text in (ECHO, FASTAPI) for obj in yaml.safe_load_all(text)]
    for obj in (*applied, *(kind.make(7) for kind in kinds())):
        resource = RESOURCES.find_name(obj["apiVersion"], obj["kind"])
        assert resource is not None
        metadata = {**obj["metadata"], "namespace": "default"}
        await registry.create(resource, {**obj, "metadata": metadata}, dry_run=True)
    store.close()


def test_a_percentile_is_a_figure_that_was_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
