"""A manifest as somebody typed it: its documents, what would become of each, and what the API server said. Pure.

The text may be anything. It is read as events first, which costs no more than its length, and refused there if it nests too
deeply or grows by aliases (a "YAML bomb"), before a value is made of it.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import msgspec
import yaml

try:
    from yaml import CSafeLoader as _Reader
except ImportError:  # PyYAML without libyaml: the same, some thirty times slower
    from yaml import SafeLoader as _Reader  # type: ignore[assignment]

MOST_BYTES = 1 << 20
MOST_OBJECTS = 200
_MOST_NODES = 100_000
_DEEPEST = 60

_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_/-]{0,252}")

Path = tuple[str, ...]


class ManifestRefused(ValueError):
    """The text is no manifest; says why, and where that is known."""


class Document(msgspec.Struct, frozen=True):
    """One object of a manifest. `line` is where its document begins."""

    body: dict[str, Any]
    api_version: str
    kind: str
    namespace: str
    name: str
    line: int

    @property
    def title(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}"


class Verdict(Enum):
    """What becomes, or has become, of one object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    REFUSED = "refused"
    LATER = "checked later"


class Fault(msgspec.Struct, frozen=True):
    """What the API server has against a field; of a conflict, `owner` is who has the field."""

    field: str
    message: str
    owner: str = ""


class Result(msgspec.Struct, frozen=True):
    """What becomes of a document; `changed` are fields that differ from what is there."""

    document: Document
    verdict: Verdict
    message: str = ""
    faults: tuple[Fault, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether this object cannot be applied as it stands."""
        return self.verdict in (Verdict.CONFLICT, Verdict.REFUSED)


def parse_manifest(text: str, *, namespace: str = "default") -> tuple[Document, ...]:
    """The objects of all documents; Lists are opened. `namespace` is for those that name none.

    Raises:
        ManifestRefused: it is too large or deep, no YAML, or an object lacks apiVersion, kind or name.
    """
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise ManifestRefused(f"The manifest has more than {MOST_BYTES >> 10} KiB.")
    try:
        _check_size(text)
        found = tuple(_documents(text, namespace))
    except yaml.YAMLError as error:
        raise ManifestRefused(_yaml_words(error)) from error
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, ManifestRefused) else ManifestRefused(f"Not YAML: {error}") from error
    if not found:
        raise ManifestRefused("There is no object in the manifest.")
    if len(found) > MOST_OBJECTS:
        raise ManifestRefused(f"The manifest has {len(found)} objects; {MOST_OBJECTS} are the most at a time.")
    return found


def changed_fields(before: Any, after: Any, *, most: int = 12) -> tuple[str, ...]:
    """The fields in which two states of an object differ, without what the API server itself writes into each."""
    found = list[str]()
    for path in _differences(_bare(before), _bare(after), ()):
        if len(found) == most:
            found.append("…")
            break
        found.append(_written(path))
    return tuple(found)


def is_defined_later(document: Document, others: Sequence[Document]) -> str:
    """Which object of the same manifest has to be there before this one can be tried, "" if none."""
    for other in others:
        spec = other.body.get("spec")
        if other.kind == "Namespace" and other.name == document.namespace and document.kind != "Namespace":
            return other.title
        if other.kind == "CustomResourceDefinition" and isinstance(spec, dict):
            names = spec.get("names")
            group = document.api_version.rpartition("/")[0]
            if spec.get("group") == group and isinstance(names, dict) and names.get("kind") == document.kind:
                return other.title
    return ""


def conflict_faults(causes: Sequence[tuple[str, str]]) -> tuple[Fault, ...]:
    """Who owns which field, from the causes of a conflict: `conflict with "kubectl" using apps/v1`."""
    return tuple(Fault(field, message, _owner(message)) for field, message in causes)


def _owner(message: str) -> str:
    _, quote, rest = message.partition('conflict with "')
    return rest.partition('"')[0] if quote else ""


def _check_size(text: str) -> None:
    """Counts the nodes that the text stands for, aliases opened."""
    count = _Count()
    for event in yaml.parse(text, Loader=_Loader):
        count.add(event)
        if len(count.open) > _DEEPEST:
            raise ManifestRefused(f"{_line(event)}nested more than {_DEEPEST} levels deep.")
        if count.total > _MOST_NODES:
            raise ManifestRefused(f"The manifest stands for more than {_MOST_NODES} values, its aliases opened.")


class _Count:
    """Nodes so far; `open` are the collections that the reader is in, each with its anchor and the count before it."""

    def __init__(self) -> None:
        self.total = 0
        self.open: list[tuple[str | None, int]] = []
        self._sizes: dict[str | None, int] = {}

    def add(self, event: yaml.Event) -> None:
        """The next event of the text."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._sizes = {}
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self.open):
                raise ManifestRefused(f"{_line(event)}the alias *{event.anchor} stands inside itself.")
            self.total += self._sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open.append((event.anchor, self.total))
            self.total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.open.pop()
            self._sizes[anchor] = self.total - before
        elif isinstance(event, yaml.ScalarEvent):
            self.total += 1


def _line(event: yaml.Event) -> str:
    return f"Line {event.start_mark.line + 1}: " if event.start_mark else ""


class _Loader(_Reader):
    """Scalars as Kubernetes reads them (dates are text), and a key that stands twice is a mistake, as it is to kubectl."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """See the class."""
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise ManifestRefused(f"Line {key.start_mark.line + 1}: the key {key.value} stands twice in one mapping.")
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_NOT_OURS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_OURS]
    for first, resolvers in _Reader.yaml_implicit_resolvers.items()
}


def _documents(text: str, namespace: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            value = loader.construct_document(node)
            if value is not None:
                yield from _objects(value, namespace, node.start_mark.line + 1)
    finally:
        loader.dispose()


def _objects(value: Any, namespace: str, line: int) -> Iterator[Document]:
    if not isinstance(value, dict):
        raise ManifestRefused(f"Line {line}: a manifest is an object with apiVersion, kind and metadata.")
    if isinstance(value.get("items"), list) and str(value.get("kind", "")).endswith("List"):
        for item in value["items"]:
            yield from _objects(item, namespace, line)
        return
    metadata = value.get("metadata")
    named = metadata.get("name") if isinstance(metadata, dict) else None
    for field, found in (("apiVersion", value.get("apiVersion")), ("kind", value.get("kind")), ("metadata.name", named)):
        if not isinstance(found, str) or not found:
            raise ManifestRefused(f"Line {line}: the object has no {field}.")
    where = metadata.get("namespace") if isinstance(metadata, dict) else None
    if where is not None and not isinstance(where, str):
        raise ManifestRefused(f"Line {line}: metadata.namespace is no text.")
    _check_places(line, ("apiVersion", value["apiVersion"]), ("metadata.name", named), ("metadata.namespace", where or "x"))
    yield Document(_as_json(value), value["apiVersion"], value["kind"], where or namespace, str(named), line)


def _check_places(line: int, *fields: tuple[str, Any]) -> None:
    """These become parts of a path, so what means something in a path is refused here, whatever the kind."""
    for field, value in fields:
        if not _PLACE.fullmatch(value) or ".." in value or value.count("/") > (field == "apiVersion"):
            raise ManifestRefused(f"Line {line}: {field} is not of the form of a name.")


def _as_json(value: Any) -> Any:
    """Keys as text, as in JSON; what JSON does not have is refused."""
    if isinstance(value, dict):
        return {_key(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    raise ManifestRefused(f"A value of the type {type(value).__name__} has no place in a manifest.")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int):
        return str(key)
    raise ManifestRefused("A key of a mapping is no text.")


def _yaml_words(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not YAML: {problem or 'unexpected text'}."


_SERVERS_OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


def _bare(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        metadata = {key: one for key, one in metadata.items() if key not in _SERVERS_OWN}
    return {key: one for key, one in value.items() if key != "status"} | {"metadata": metadata}


def _differences(before: Any, after: Any, path: Path) -> Iterator[Path]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), (*path, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*path, f"[{index}]"))
    elif before != after:
        yield path


def _written(path: Path) -> str:
    return ".".join(path).replace(".[", "[")
