"""Manifests brought up to date by small edits of their text: what is not touched stays as it was written, comments included.

Beta versions of Ingress become networking.k8s.io/v1, the annotation of old that names the class becomes the field, and
annotations under names or a prefix of old get those of today. YAML's own reader says where things stand.
"""

import difflib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import yaml

from remora.annotations.registry import find_row

CURRENT = "networking.k8s.io/v1"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PREFIX = "nginx.ingress.kubernetes.io"
OLD_PREFIX = "ingress.kubernetes.io"
_BETA = ("extensions/v1beta1", "networking.k8s.io/v1beta1")


class Edit(msgspec.Struct, frozen=True, order=True):
    """What stands from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


class NotRewritten(msgspec.Struct, frozen=True):
    """Something that a small edit cannot do, with the line on which it stands."""

    line: int
    reason: str


def rewrite(text: str) -> tuple[str, tuple[NotRewritten, ...]]:
    """The text with all Ingresses in it up to date; as it was, if it is no YAML or a template."""
    found: list[Edit | NotRewritten] = []
    try:
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            found += _ingress(text, node) if node is not None else ()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return text, (NotRewritten(mark.line + 1 if mark else 1, "this is not YAML; render templates first"),)
    edits = [one for one in found if isinstance(one, Edit)]
    left = [one for one in found if isinstance(one, NotRewritten)]
    if any(one.end > other.start for one, other in pairwise(sorted(set(edits)))):
        return text, (*left, NotRewritten(1, "it says the same thing twice; write it by hand"))
    return apply_edits(text, edits), tuple(left)


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text after all edits, which do not overlap."""
    for edit in sorted(set(edits), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def unified_diff(name: str, before: str, after: str) -> str:
    """The change as `git apply` and `patch -p1` take it."""
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _ingress(text: str, node: yaml.Node) -> Iterator[Edit | NotRewritten]:
    kind = _text(_child(node, "kind"))
    items = _child(node, "items")
    if kind.endswith("List") and isinstance(items, yaml.SequenceNode):
        for item in items.value:
            yield from _ingress(text, item)
    if kind != "Ingress":
        return
    version = _child(node, "apiVersion")
    spec = _child(node, "spec")
    if isinstance(version, yaml.ScalarNode) and version.value in _BETA:
        yield _replace(version, CURRENT)
        if isinstance(spec, yaml.MappingNode):
            yield from _beta_spec(spec)
    yield from _annotations(text, node, spec)


def _beta_spec(spec: yaml.MappingNode) -> Iterator[Edit | NotRewritten]:
    for key, value in spec.value:
        if key.value == "backend":
            yield _replace(key, "defaultBackend")
            yield from _backend(value)
    rules = _child(spec, "rules")
    for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
        http = _child(rule, "http")
        paths = _child(http, "paths") if http is not None else None
        for path in paths.value if isinstance(paths, yaml.SequenceNode) else ():
            yield from _path(path)


def _path(path: yaml.Node) -> Iterator[Edit | NotRewritten]:
    for key, value in path.value if isinstance(path, yaml.MappingNode) else ():
        if key.value == "backend":
            if _child(path, "pathType") is None:
                yield _insert_before(key, "pathType", "ImplementationSpecific", is_flow=_is_flow(path))
            yield from _backend(value)


def _backend(backend: yaml.Node) -> Iterator[Edit | NotRewritten]:
    pairs = {key.value: (key, value) for key, value in backend.value} if isinstance(backend, yaml.MappingNode) else {}
    name, port = pairs.get("serviceName"), pairs.get("servicePort")
    if name is None and port is None:
        return
    if name is None or port is None or not all(isinstance(one, yaml.ScalarNode) for one in (name[1], port[1])):
        yield NotRewritten(backend.start_mark.line + 1, "a backend needs serviceName and servicePort")
        return
    field = "number" if port[1].tag.endswith(":int") else "name"
    (name_key, name_value), (port_key, port_value) = name, port
    if _is_flow(backend):
        quote = '"' if name_key.style == '"' else ""
        service = f"{quote}name{quote}: {_written(name_value)}"
        inner = f"{{{service}, {quote}port{quote}: {{{quote}{field}{quote}: {_written(port_value)}}}}}"
        first, last = sorted((name, port), key=lambda pair: pair[0].start_mark.index)
        yield Edit(first[0].start_mark.index, last[1].end_mark.index, f"{quote}service{quote}: {inner}")
        return
    indent = " " * name_key.start_mark.column
    is_first = name_key.start_mark.index < port_key.start_mark.index
    head = f"service:\n{indent}  "
    yield Edit(name_key.start_mark.index, name_key.end_mark.index, f"{head if is_first else '  '}name")
    yield Edit(
        port_key.start_mark.index,
        port_value.start_mark.index,
        f"{'  ' if is_first else head}port:\n{indent}    {field}: ",
    )


def _annotations(text: str, node: yaml.Node, spec: yaml.Node | None) -> Iterator[Edit | NotRewritten]:
    metadata = _child(node, "metadata")
    annotations = _child(metadata, "annotations") if metadata is not None else None
    if not isinstance(annotations, yaml.MappingNode):
        return
    present = {key.value for key, _ in annotations.value}
    for key, value in annotations.value:
        if key.value == CLASS_ANNOTATION:
            yield from _class(text, annotations, (key, value), spec)
        elif (name := current_name(key.value)) and name not in present:
            yield _replace(key, name)


def current_name(key: str) -> str:
    """The name of today of an annotation under one of old; "" if it has none, or another."""
    prefix, slash, name = key.partition("/")
    if prefix not in (PREFIX, OLD_PREFIX) or not slash:
        return ""
    row = find_row(f"{PREFIX}/{name}")
    if row is None or row.own:
        return ""
    wanted = f"{PREFIX}/{row.name}"
    return wanted if wanted != key else ""


def _class(
    text: str, annotations: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node], spec: yaml.Node | None
) -> Iterator[Edit | NotRewritten]:
    key, value = pair
    line = key.start_mark.line + 1
    if not isinstance(spec, yaml.MappingNode) or not spec.value or not isinstance(value, yaml.ScalarNode):
        yield NotRewritten(line, f"{CLASS_ANNOTATION} stays: there is no spec to name the class in")
        return
    if _child(spec, "ingressClassName") is None:
        yield _insert_before(spec.value[0][0], "ingressClassName", _written(value), is_flow=_is_flow(spec))
    if _is_flow(annotations):
        yield _without_flow_entry(annotations, key, value)
        return
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = text.find("\n", value.end_mark.index)
    end = len(text) if end < 0 else end + 1
    if len(annotations.value) > 1:
        comment = text[value.end_mark.index : end].strip()
        kept = f"{' ' * key.start_mark.column}{comment}\n" if comment else ""
        yield Edit(start, end, kept)
    else:
        yield Edit(key.start_mark.index, value.end_mark.index, "{}")


def _without_flow_entry(annotations: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> Edit:
    keys = [one for one, _ in annotations.value]
    number = keys.index(key)
    if number + 1 < len(keys):
        return Edit(key.start_mark.index, keys[number + 1].start_mark.index, "")
    if number:
        return Edit(annotations.value[number - 1][1].end_mark.index, value.end_mark.index, "")
    return Edit(key.start_mark.index, value.end_mark.index, "")


def _insert_before(key: yaml.Node, name: str, value: str, *, is_flow: bool) -> Edit:
    """A pair before the one that begins with `key`, in its style."""
    at = key.start_mark.index
    if is_flow:
        is_quoted = isinstance(key, yaml.ScalarNode) and key.style == '"'
        quoted = value if value.startswith('"') else f'"{value}"'
        return Edit(at, at, f'"{name}": {quoted}, ' if is_quoted else f"{name}: {value}, ")
    return Edit(at, at, f"{name}: {value}\n{' ' * key.start_mark.column}")


def _replace(node: yaml.Node, text: str) -> Edit:
    quote = node.style if isinstance(node, yaml.ScalarNode) and node.style in ('"', "'") else ""
    return Edit(node.start_mark.index, node.end_mark.index, f"{quote}{text}{quote}")


def _written(node: yaml.Node) -> str:
    """A scalar as it was written."""
    quote = node.style if isinstance(node, yaml.ScalarNode) and node.style in ('"', "'") else ""
    return f"{quote}{node.value}{quote}"


def _is_flow(node: yaml.Node) -> bool:
    """Whether it is written in braces or brackets."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                found: yaml.Node = value
                return found
    return None


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
