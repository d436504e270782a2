"""Requests that nobody sensible makes: no fault of the server, no hang, nothing stored that cannot be read again.

REMORA_FUZZ gives how many examples each test tries; without it a few.
"""

import copy
import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from remora.cluster.api import openapi
from remora.cluster.api.patch.json_patch import apply_json_patch
from remora.cluster.api.resource import Resource
from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.schemas import Schema, resolved, schema_of
from tests.cluster.fuzzed_server import FuzzedServer

Json = Any

EXAMPLES = int(os.environ.get("REMORA_FUZZ", "0"))
fuzz = settings(
    max_examples=EXAMPLES or 25,
    deadline=None,
    database=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)
ROWS = [row for row in RESOURCES.rows if "create" in row.verbs]
KEPT = [row for row in ROWS if "get" in row.verbs]
PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
           "application/apply-patch+yaml")  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", "default", "a", "1", "25%", "-1", "/", "None", "*", "\x00", "\ud7ff", "2026-01-01T00:00:00Z", "10.0.0.1"]
    ),
)
anything = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=6), below, max_size=3)),
    max_leaves=6,
)
queries = st.dictionaries(
    st.sampled_from(
        ["dryRun", "fieldManager", "fieldValidation", "force", "labelSelector", "fieldSelector", "limit", "continue", "watch",
         "resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "allowWatchBookmarks", "pretty",
         "propagationPolicy", "gracePeriodSeconds", "orphanDependents", "includeObject"]
    ),
    st.one_of(
        st.sampled_from(["", "0", "1", "-1", "All", "true", "false", "Strict", "Warn", "a=b", "a in (b", "!a",
                         "metadata.name=a", "Exact", "NotOlderThan", "Foreground", "Orphan", "9" * 20, "x" * 300]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    ),
    max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    made = FuzzedServer(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


def sample(schema: Schema, depth: int = 6) -> Json:
    """A value of a type, with every field down to a depth."""
    whole = resolved(schema)
    if schema.name.endswith("IntOrString"):
        return 1
    if schema.name.endswith("Quantity"):
        return "1Gi"
    if whole.properties:
        return {
            key: sample(field, depth - 1) for key, field in whole.properties.items() if depth > 0 and key != "managedFields"
        }
    match whole.type_name:
        case "object":
            return {"a": sample(whole.values, depth - 1)} if isinstance(whole.values, Schema) else {}
        case "array":
            return [sample(whole.items, depth - 1)] if whole.items is not None and depth > 0 else []
        case "string":
            return {"date-time": "2026-01-01T00:00:00Z", "byte": "YQ=="}.get(whole.format, "a")
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case _:
            return None


def sample_of(row: Resource) -> Json:
    made = sample(schema_of(row.api_version, row.kind), 7)
    metadata = {"name": "a", "labels": {"a": "b"}, **({"namespace": "default"} if row.namespaced else {})}
    return {**made, "apiVersion": row.api_version, "kind": row.kind, "metadata": metadata}


def places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, value: Json) -> Json:
    """A value in which some places hold something else, or nothing."""
    made = copy.deepcopy(value)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(list(places(made))))
        if not path:
            continue
        parent = made
        for step in path[:-1]:
            parent = parent[step]
        if draw(st.booleans()):
            parent[path[-1]] = draw(anything)
        else:
            del parent[path[-1]]
    return made


def encoded(value: Json) -> bytes:
    return json.dumps(value).encode()


def base_of(row: Resource) -> str:
    root = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
    return f"{root}/namespaces/default/{row.plural}" if row.namespaced else f"{root}/{row.plural}"


def check_readable(server: FuzzedServer, row: Resource) -> None:
    """Whatever was stored can be listed, and shown as a table."""
    status, found = server.ask("GET", base_of(row))
    assert status == 200
    for item in found["items"]:
        assert item["metadata"]["name"]
        assert item["metadata"]["uid"]
    assert server.ask("GET", base_of(row), query={"includeObject": "Object"})[0] == 200
    objects, _ = server.registry.list(row.storage)
    for obj in objects:
        assert json.loads(json.dumps(obj)) == obj


@fuzz
@given(data=st.data())
def test_odd_objects_are_refused_or_stored(server: FuzzedServer, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(ROWS))
    body = data.draw(mutated(sample_of(row)))
    server.ask("POST", base_of(row), encoded(body), query=data.draw(queries))
    if row in KEPT:
        name = body["metadata"].get("name") if isinstance(body, dict) and isinstance(body.get("metadata"), dict) else "a"
        name = quote(name if isinstance(name, str) and name else "a", safe="")
        server.ask("PUT", f"{base_of(row)}/{name}", encoded(data.draw(mutated(sample_of(row)))), query=data.draw(queries))
        for subresource in row.subresources:
            path = f"{base_of(row)}/{name}/{subresource}"
            if subresource not in ("attach", "exec", "portforward", "proxy", "log"):
                server.ask(data.draw(st.sampled_from(["PUT", "POST", "GET"])), path, encoded(body))
        check_readable(server, row)
        server.ask("DELETE", f"{base_of(row)}/{name}", data.draw(st.sampled_from([b"", b"{}", encoded(body)])))


@fuzz
@given(data=st.data())
def test_odd_patches_are_refused_or_leave_an_object(server: FuzzedServer, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(KEPT))
    server.ask("POST", base_of(row), encoded(minimal(row)))
    path, media = f"{base_of(row)}/a", data.draw(st.sampled_from(PATCHES))
    if media == PATCHES[0]:
        pointers = [
            "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in place)
            for place in places(sample_of(row))
        ]
        pointer = st.one_of(st.sampled_from(pointers), st.text(max_size=6), anything)
        operation = st.fixed_dictionaries(
            {}, optional={"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]), "path": pointer,
                          "from": pointer, "value": anything}
        )  # fmt: skip
        patch = data.draw(st.one_of(st.lists(operation, max_size=4), anything))
    else:
        patch = data.draw(mutated(sample_of(row)))
        if media == PATCHES[2] and isinstance(patch, dict):
            directives = ["$patch", "$retainKeys", "$setElementOrder/a", "$deleteFromPrimitiveList/a"]
            patch |= data.draw(st.dictionaries(st.sampled_from(directives), anything, max_size=2))
    query = {"fieldManager": "fuzz", **data.draw(queries)}
    server.ask("PATCH", path, encoded(patch), media=media, query=query)
    if "status" in row.subresources:
        server.ask("PATCH", f"{path}/status", encoded(patch), media=media, query=query)
    check_readable(server, row)


def minimal(row: Resource) -> Json:
    metadata = {"name": "a", **({"namespace": "default"} if row.namespaced else {})}
    return {"apiVersion": row.api_version, "kind": row.kind, "metadata": metadata}


@fuzz
@given(data=st.data())
def test_odd_questions_are_answered(server: FuzzedServer, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(KEPT))
    method = data.draw(st.sampled_from(["GET", "GET", "GET", "DELETE", "HEAD", "OPTIONS", "TRACE"]))
    if method == "DELETE" and row.plural == "namespaces":
        method = "GET"
    name = data.draw(st.sampled_from(["", "/a", "/%00", "/..", "/%2e%2e", "/a/status", "/a/nothing", "/a/b/c/d"]))
    body = data.draw(st.one_of(st.binary(max_size=20), anything.map(encoded)))
    server.ask(method, base_of(row) + name, body, query=data.draw(queries))


MEDIA = ("application/json", "application/yaml", "text/x", "", "application/vnd.kubernetes.protobuf", *PATCHES)


@fuzz
@given(body=st.binary(max_size=200), media=st.sampled_from(MEDIA), method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]))
def test_bodies_that_say_nothing_are_refused(server: FuzzedServer, body: bytes, media: str, method: str) -> None:
    path = "/api/v1/namespaces/default/configmaps" + ("/none" if method in ("PUT", "PATCH") else "")
    for text in (body, b"k8s\x00" + body, b"{" + body, b"- " + body, b"&a [*a]" + body):
        server.ask(method, path, text, media=media, query={"fieldManager": "x"})


@pytest.mark.parametrize("depth", [100, 450, 900, 5_000, 200_000])
@pytest.mark.parametrize("media", ["application/json", "application/yaml", *PATCHES])
def test_bodies_that_are_deep_are_refused_or_read(server: FuzzedServer, depth: int, media: str) -> None:
    body = b'{"data":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
    if media == "application/yaml" and depth > 5_000:
        pytest.skip("takes long to read, and is refused as the shorter one is")
    server.ask("POST", "/api/v1/namespaces/default/configmaps", b'{"metadata":{"name":"a"}}')
    method = "PATCH" if media in PATCHES else "POST"
    path = "/api/v1/namespaces/default/configmaps" + ("/a" if method == "PATCH" else "")
    status, _ = server.ask(method, path, body, media=media, query={"fieldManager": "x"})
    assert 400 <= status < 500


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text("ab~/", max_size=3)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text("ab~/", max_size=2), below, max_size=3)),
    max_leaves=8,
)


@fuzz
@given(before=documents, after=documents)
def test_a_patch_made_of_the_difference_gives_the_other_document(before: Json, after: Json) -> None:
    assert apply_json_patch({"d": before}, list(difference({"d": before}, {"d": after}, ""))) == {"d": after}


def difference(before: Json, after: Json, path: str) -> Iterator[Json]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after or type(before) is not type(after):
            yield {"op": "replace", "path": path, "value": after}
        return
    for key in before.keys() | after.keys():
        below = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            yield {"op": "remove", "path": below}
        elif key not in before:
            yield {"op": "add", "path": below, "value": after[key]}
        else:
            yield from difference(before[key], after[key], below)


SMALL = ("/configmaps", "/leases", "/deployments/{name}/scale", "/pods/{name}/eviction")
"""Paths with bodies for which values are found quickly; a longer run tries all."""
STREAMS = ("attach", "exec", "portforward", "proxy", "{path}")


@cache
def operations() -> list[Any]:
    document = json.loads(openapi.whole_document(RESOURCES))
    for path in list(document["paths"]):
        if path.rpartition("/")[2] in STREAMS or not (EXAMPLES or any(small in path for small in SMALL)):
            del document["paths"][path]
    schema: Any = schemathesis.openapi.from_dict(document)
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_requests_after_our_openapi_document_are_answered(server: FuzzedServer, mode: schemathesis.GenerationMode) -> None:
    chosen = st.sampled_from(operations()).flatmap(lambda operation: operation.as_strategy(generation_mode=mode))

    @settings(fuzz, max_examples=EXAMPLES or 8)
    @given(case=chosen)
    def ask(case: Any) -> None:
        body = case.body if isinstance(case.body, bytes) else b"" if is_unset(case.body) else encoded(case.body)
        server.ask(case.method, case.formatted_path, body, media=case.media_type or "", query=case.query)

    ask()


def is_unset(body: object) -> bool:
    return type(body).__name__ == "NotSet"
