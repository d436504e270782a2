"""Every annotation, and every key of the ConfigMap that is honoured, stands in a golden case."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from remora.annotations.declare import Support
from remora.annotations.registry import rows, setting_rows

TESTS = Path(__file__).parents[1]


def objects() -> Iterator[dict[str, object]]:
    """All that stands in the cases."""
    for case in sorted((TESTS / "golden/translate").glob("*/in.yaml")):
        yield from (one for one in yaml.safe_load_all(case.read_text()) if one)


def written() -> tuple[frozenset[str], frozenset[str]]:
    """The names of annotations without their prefix, and the keys of ConfigMaps in small letters."""
    names: set[str] = set()
    keys: set[str] = set()
    for one in objects():
        metadata = one.get("metadata")
        if one["kind"] == "Ingress" and isinstance(metadata, dict):
            names |= {key.rpartition("/")[2] for key in metadata.get("annotations") or {}}
        data = one.get("data")
        if one["kind"] == "ConfigMap" and isinstance(data, dict):
            keys |= {str(key).lower() for key in data}
    return frozenset(names), frozenset(keys)


NAMES, KEYS = written()


def test_every_annotation_stands_in_a_golden_case() -> None:
    assert [row.name for row in rows() if row.name and not {row.name, *row.aliases} & NAMES] == []


def test_every_key_of_the_configmap_that_is_honoured_stands_in_a_golden_case() -> None:
    honoured = [row.global_key for row in setting_rows() if row.support in (Support.FULL, Support.PARTIAL)]
    assert len(honoured) > 100
    assert [key for key in honoured if key not in KEYS] == []
