"""Patches of the local API server against references: a library for JSON Patch, inverses and models for those that merge."""

import copy
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.patch.faults import PatchError
from remora.cluster.api.patch.json_patch import apply_json_patch, is_same
from remora.cluster.api.patch.merge_patch import apply_merge_patch
from remora.cluster.api.patch.strategic import apply_strategic_patch
from remora.cluster.api.schemas import schema_of

Json = Any

POD = schema_of("v1", "Pod")
KEYS = st.sampled_from(["a", "b", "0", "1", "a/b", "m~n"])
SCALARS = st.one_of(st.integers(-2, 2), st.sampled_from(["", "x", "y"]))


def documents(scalars: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    parts = st.recursive(
        scalars, lambda kids: st.lists(kids, max_size=3) | st.dictionaries(KEYS, kids, max_size=3), max_leaves=8
    )
    return st.dictionaries(KEYS, parts, max_size=4)


STEPS = KEYS | st.sampled_from(["2", "-"])
POINTERS = st.lists(STEPS, min_size=1, max_size=3).map(
    lambda steps: "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
)


@st.composite
def operations(draw: st.DrawFn) -> dict[str, Json]:
    kind = draw(st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]))
    operation: dict[str, Json] = {"op": kind, "path": draw(POINTERS)}
    if kind in ("move", "copy"):
        operation["from"] = draw(POINTERS)
    if kind in ("add", "replace", "test"):
        operation["value"] = draw(documents(SCALARS) | SCALARS)
    return operation


@given(documents(SCALARS), st.lists(operations(), max_size=4))
def test_a_json_patch_gives_what_the_library_gives_or_both_refuse_it(document: Json, patch: list[dict[str, Json]]) -> None:
    try:
        expected = jsonpatch.apply_patch(copy.deepcopy(document), copy.deepcopy(patch))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        expected = PatchError
    before = copy.deepcopy(document)
    try:
        found = apply_json_patch(document, patch)
    except PatchError:
        found = PatchError
    assert document == before
    assert found is expected or is_same(found, expected)


@given(documents(SCALARS), documents(SCALARS))
def test_the_difference_that_a_library_finds_leads_from_one_document_to_the_other(before: Json, after: Json) -> None:
    assert apply_json_patch(before, jsonpatch.make_patch(before, after).patch) == after


def difference(before: Json, after: Json) -> Json:
    """The merge patch from one document without nulls to another."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    gone = dict.fromkeys(before.keys() - after.keys())
    return gone | {key: difference(before.get(key), value) for key, value in after.items() if before.get(key) != value}


@given(documents(SCALARS), documents(SCALARS))
def test_a_merge_patch_leads_from_one_document_to_the_other(before: Json, after: Json) -> None:
    assert apply_merge_patch(before, difference(before, after)) == after


IMAGES = st.fixed_dictionaries(
    {}, optional={"image": st.sampled_from(["x:1", "x:2"]), "workingDir": st.sampled_from(["/", "/x"])}
)
CONTAINERS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), IMAGES, max_size=4)


def pod(containers: dict[str, dict[str, Json]]) -> dict[str, Json]:
    return {"spec": {"containers": [{"name": name, **rest} for name, rest in containers.items()]}}


@given(CONTAINERS, CONTAINERS, st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_a_strategic_patch_merges_containers_as_a_map_by_name(
    before: dict[str, Json], changes: dict[str, Json], doomed: set[str]
) -> None:
    changes = {name: change for name, change in changes.items() if name not in doomed}
    patch = pod(changes)
    patch["spec"]["containers"] += [{"$patch": "delete", "name": name} for name in sorted(doomed)]
    after = apply_strategic_patch(pod(before), patch, POD)["spec"]["containers"]
    found = {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in after}
    kept = {name: rest for name, rest in before.items() if name not in doomed}
    assert len(found) == len(after)
    assert found == apply_merge_patch(kept, changes)
