"""From the text of manifests to Kubernetes objects, each with the lines on which its fields stand. Pure.

Documents are read one by one, so that a broken one costs only itself. Only those that name a kind that we read become values;
of the others it is only told that they are broken. Lists are opened, and the beta versions of Ingress become the one that the
API server keeps.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from remora.kube.objects import KubernetesObject
from remora.report.versions import to_current
from remora.watch.snapshot import KINDS

DEFAULT_NAMESPACE = "default"
_KINDS = {kind.__name__: kind for kind in KINDS}
_CLUSTER_SCOPED = ("IngressClass",)
_GROUPS = {
    "Ingress": ("networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1"),
    "IngressClass": ("networking.k8s.io/v1", "networking.k8s.io/v1beta1"),
    "EndpointSlice": ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"),
    "Service": ("v1",),
    "Secret": ("v1",),
    "ConfigMap": ("v1",),
    "Pod": ("v1",),
}
"""The API versions of each kind; other groups have kinds of the same names (Knative's Service)."""

_MARKER = re.compile(r"^(---|\.\.\.)(?=\s|\Z)")
_OURS = re.compile(rf"""["']?kind["']?\s*:\s*["']?(\w*List|{"|".join(_KINDS)})\b""", re.IGNORECASE)
_KINDS_BY_LOWER = {name.lower(): name for name in _KINDS}
_SOURCE = re.compile(r"^# Source: (\S.*)$", re.MULTILINE)
_FIELD = re.compile(r"\[([^\]]*)\]|[^.\[\]]+")
_DEEPEST = 100
_NO_OBJECT = "a manifest is an object with apiVersion, kind and metadata"

Path = tuple[str | int, ...]


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something stands. `source` is the chart's file where Helm says it; without a file there is no line either."""

    file: str = ""
    line: int = 0
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} ({self.source})" if self.source else where


class Fault(msgspec.Struct, frozen=True):
    """A document or an object that cannot be read, and why."""

    place: Place
    message: str


class Manifest(msgspec.Struct, frozen=True):
    """An object with the lines of its fields, by their path."""

    object: KubernetesObject
    place: Place = Place()
    lines: Mapping[Path, int] = {}

    def place_of(self, field: str) -> Place:
        """Where a field stands, named as in Problems; what is not written stands where the thing around it does."""
        return place_of(field, self.lines, self.place)


def place_of(field: str, lines: Mapping[Path, int], whole: Place) -> Place:
    """Where a field of an object stands; `whole` is where the object begins."""
    path = parse_field(field)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return msgspec.structs.replace(whole, line=lines[path[:length]])
    return whole


def parse_field(field: str) -> Path:
    """`spec.rules[0].host` to its steps."""
    path: list[str | int] = []
    for found in _FIELD.finditer(field):
        inside = found[1]
        path.append(found[0] if inside is None else int(inside) if inside.isascii() and inside.isdigit() else inside)
    return tuple(path)


def read_manifests(text: str, file: str, *, is_named: bool = False) -> Iterator[Manifest | Fault]:
    """Every object of our kinds in the text of one file, and what cannot be read.

    `is_named` says that a person named this very file; one found in a folder may be a template or something else altogether.
    """
    for first_line, document in split_documents(text):
        source = _SOURCE.search(document)
        place = Place(file, first_line, source[1].strip() if source else "")
        if _OURS.search(document):
            yield from _read_document(document, place)
        elif is_named or not _is_something_else(document):
            yield from _find_broken(document, place, is_named=is_named)


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """The documents of a stream with the number of their first line. A marker stands at the start of a line (YAML 1.2, 9.1)."""
    first, lines = 1, list[str]()
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
        marker = _MARKER.match(line)
        if marker and any(kept.strip() for kept in lines):
            yield first, "\n".join(lines)
        if marker:
            first, lines = number, []
            line = " " * 3 + line[3:] if marker[1] == "---" else ""
        lines.append("" if line.startswith("%") else line)
    yield first, "\n".join(lines)


class _Loader(yaml.SafeLoader):
    """Reads scalars as Kubernetes does: dates are text, and there are no numbers to the base of 60."""


_NOT_OURS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_OURS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _is_something_else(document: str) -> bool:
    """Whether a document without a kind of ours is no manifest, whatever it is: a template, or the JSON of another program."""
    return "{{" in document or "{%" in document or (document.lstrip()[:1] in ("{", "[") and "apiVersion" not in document)


def _find_broken(document: str, place: Place, *, is_named: bool) -> Iterator[Fault]:
    """Why a document of none of our kinds cannot be read. Nothing is made of it, so this is cheap with libyaml."""
    depth, line, is_mapping = 0, 0, True
    try:
        for event in yaml.parse(_as_yaml(document), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if depth == 0 and isinstance(event, yaml.NodeEvent):
                is_mapping = isinstance(event, yaml.MappingStartEvent) or getattr(event, "value", None) in ("", "null", "~")
                line = event.start_mark.line if event.start_mark else 0
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise RecursionError
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield _fault_of(error, document, place)
        return
    if is_named and not is_mapping:
        yield Fault(_moved(place, line), _NO_OBJECT)


def _read_document(document: str, place: Place) -> Iterator[Manifest | Fault]:
    try:
        loader = _Loader(_as_yaml(document))
        try:
            node = loader.get_single_node()
            value = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield _fault_of(error, document, place)
        return
    if node is None:
        return
    repeated = _find_repeated_key(node)
    if repeated is not None:
        text, line = repeated
        message = f"the key {text} stands twice in one mapping; kubectl refuses that"
        yield Fault(_moved(place, line), message)
    yield from _read_value(value, node, place)


_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _as_yaml(document: str) -> str:
    """What JSON has and the YAML reader does not understand: tabs between tokens, and characters as two escapes."""
    if document.lstrip()[:1] in ("{", "["):
        document = document.replace("\t", " ")
    return _SURROGATES.sub(_character, document)


def _character(escapes: re.Match[str]) -> str:
    units = bytes.fromhex(escapes[0].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def _read_value(value: Any, node: yaml.Node, place: Place) -> Iterator[Manifest | Fault]:
    if not isinstance(value, dict):
        yield Fault(_moved(place, node.start_mark.line), _NO_OBJECT)
        return
    kind = value.get("kind")
    here = _moved(place, node.start_mark.line)
    items = value.get("items")
    if isinstance(kind, str) and kind.endswith("List"):
        nodes = _child(node, "items")
        if isinstance(items, list) and isinstance(nodes, yaml.SequenceNode):
            kind_of_items = kind.removesuffix("List")
            for item, item_node in zip(items, nodes.value, strict=True):
                named = {"kind": kind_of_items, "apiVersion": value.get("apiVersion")} if kind_of_items else {}
                yield from _read_value({**named, **item} if isinstance(item, dict) else item, item_node, place)
        return
    if not isinstance(kind, str):
        return
    version = value.get("apiVersion")
    if kind not in _KINDS:
        meant = _KINDS_BY_LOWER.get(kind.lower(), "")
        if meant and (version is None or version in _GROUPS[meant]):
            yield Fault(here, f"kind is {kind!r}, which the API server does not know; did you mean {meant}?")
        return
    if version in _GROUPS[kind]:
        yield _decoded(kind, str(version), value, node, here)
    elif not isinstance(version, str) or (kind == "Ingress" and version.endswith(("/v1", "/v1beta1"))):
        yield Fault(here, f"{kind} has apiVersion {version!r}; known are {', '.join(_GROUPS[kind])}")


def _decoded(kind: str, version: str, value: dict[str, Any], node: yaml.Node, place: Place) -> Manifest | Fault:
    lines = dict(_lines(node, place.line - node.start_mark.line))
    fault = _find_unquoted(value)
    if fault:
        field, message = fault
        return Fault(place_of(field, lines, place), message)
    try:
        found = msgspec.convert(_complete(kind, to_current(kind, version, value)), _KINDS[kind])
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        message, _, path = str(error).partition(" - at ")
        field = path.strip("`").removeprefix("$.")
        where = f"{field}: " if field else ""
        return Fault(place_of(field, lines, place), f"{kind} {_name(value)}: {where}{message}")
    return Manifest(found, place, lines)


def _find_unquoted(value: dict[str, Any]) -> tuple[str, str] | None:
    """The first annotation whose value is no text: the API server refuses the whole object for it."""
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    for key, text in (annotations or {}).items() if isinstance(annotations, dict) else ():
        if not isinstance(text, str) and text is not None:
            shown = str(text).lower() if isinstance(text, bool) else str(text)
            advice = f'write "{shown}" in quotes' if isinstance(text, bool | int | float) else "it must be text"
            message = f"{value.get('kind')} {_name(value)}: annotation {key} is no text; {advice}, or the API server refuses it"
            return f"metadata.annotations[{key}]", message
    return None


def _complete(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """The object with what the API server would fill in. Fields that are null are as good as absent."""
    written: dict[str, Any] = _without_nulls(value, {})
    metadata = written.get("metadata")
    if not isinstance(metadata, dict):
        return written | {"metadata": {} if metadata is None else metadata}
    namespace = "" if kind in _CLUSTER_SCOPED else metadata.get("namespace") or DEFAULT_NAMESPACE
    name = metadata.get("name") or metadata.get("generateName") or ""
    return written | {"metadata": {**metadata, "name": name, "namespace": namespace}}


def _without_nulls(value: Any, known: dict[int, Any]) -> Any:
    """A copy in which what several aliases share stays shared, so that no text grows without bounds."""
    if not isinstance(value, dict | list):
        return value
    if id(value) not in known:
        known[id(value)] = (
            {key: _without_nulls(one, known) for key, one in value.items() if one is not None}
            if isinstance(value, dict)
            else [_without_nulls(one, known) for one in value]
        )
    return known[id(value)]


def _lines(node: yaml.Node, offset: int) -> Iterator[tuple[Path, int]]:
    """The line of every field. What an alias stands for was seen where it is written, and is not walked again."""
    seen: set[int] = set()
    open_nodes: list[tuple[Path, yaml.Node]] = [((), node)]
    while open_nodes:
        path, one = open_nodes.pop()
        if id(one) in seen or len(path) > _DEEPEST:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.MappingNode):
            for key, child in one.value:
                name = (*path, str(key.value))
                yield name, key.start_mark.line + offset
                open_nodes.append((name, child))
        elif isinstance(one, yaml.SequenceNode):
            for number, child in enumerate(one.value):
                yield (*path, number), child.start_mark.line + offset
                open_nodes.append(((*path, number), child))


def _find_repeated_key(node: yaml.Node) -> tuple[str, int] | None:
    """A key that stands twice in one mapping, and the line of the second."""
    seen: set[int] = set()
    open_nodes = [node]
    while open_nodes:
        one = open_nodes.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.MappingNode):
            names: set[str] = set()
            for key, child in one.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in names and key.value != "<<":
                        return key.value, key.start_mark.line
                    names.add(key.value)
                open_nodes.append(child)
        elif isinstance(one, yaml.SequenceNode):
            open_nodes.extend(one.value)
    return None


def _child(node: yaml.Node, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if key.value == name:
                found: yaml.Node = child
                return found
    return None


def _fault_of(error: Exception, document: str, place: Place) -> Fault:
    """What is wrong in a document, in one line."""
    if "{{" in document:
        return Fault(place, "this is a template; render it first (helm template CHART | remora check -)")
    if isinstance(error, RecursionError):
        return Fault(place, "it is nested too deeply")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return Fault(_moved(place, mark.line) if mark else place, f"not YAML: {problem}")


def _moved(place: Place, line: int) -> Place:
    """The place so many lines further down."""
    return msgspec.structs.replace(place, line=place.line + line)


def _name(value: dict[str, Any]) -> str:
    metadata = value.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    return (
        f"{found.get('namespace') or DEFAULT_NAMESPACE}/{found.get('name') or found.get('generateName') or '(without a name)'}"
    )
