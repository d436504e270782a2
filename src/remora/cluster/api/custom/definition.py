"""A CustomResourceDefinition itself: what is filled in and what is refused (`ValidateCustomResourceDefinition`). Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from remora.cluster.api.custom.jsonpath import is_simple, parse_path
from remora.cluster.api.custom.schema import parse_schema
from remora.cluster.api.custom.structural import check_schema, unanswerable_rules
from remora.cluster.api.errors import Cause, duplicate, forbidden_field, invalid_value, required, unsupported
from remora.cluster.api.names import wrong_with_label_1035, wrong_with_subdomain

Object = dict[str, Any]

_APPROVAL = "api-approved.kubernetes.io"
_APPROVAL_DOCUMENT = "https://github.com/kubernetes/enhancements/pull/1111"
_PROTECTED = (".k8s.io", ".kubernetes.io")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_STRATEGIES = ("None", "Webhook")
_SCOPES = ("Cluster", "Namespaced")
_IMMUTABLE = "field is immutable"


def default_definition(definition: Object) -> None:
    """Fills in the names that follow from others, and notes the version in which objects are kept."""
    spec = definition.get("spec") or {}
    names = spec.get("names")
    if isinstance(names, dict) and names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    stored = [version["name"] for version in spec.get("versions") or () if version.get("storage") and version.get("name")]
    status = definition.setdefault("status", {"acceptedNames": {"kind": "", "plural": ""}, "conditions": []})
    kept = status.setdefault("storedVersions", [])
    status["storedVersions"] = [*kept, *(name for name in stored if name not in kept)]


def check_definition(definition: Object) -> Iterator[Cause]:
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    name, wanted = definition["metadata"].get("name", ""), f"{names.get('plural', '')}.{spec.get('group', '')}"
    if name != wanted:
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    yield from _check_group(spec.get("group") or "", definition["metadata"].get("annotations") or {})
    if not spec.get("scope"):
        yield required("spec.scope")
    elif spec["scope"] not in _SCOPES:
        yield unsupported("spec.scope", spec["scope"], _SCOPES)
    yield from _check_names(names)
    yield from _check_versions(spec.get("versions") or [])
    if spec.get("preserveUnknownFields"):
        why = "must be false in order to use defaults in the schema"
        yield invalid_value("spec.preserveUnknownFields", True, why)
    strategy = (spec.get("conversion") or {}).get("strategy", "")
    if strategy not in _STRATEGIES:
        yield unsupported("spec.conversion.strategy", strategy, _STRATEGIES)
    yield from _check_stored(definition)


def check_definition_update(definition: Object, before: Object) -> Iterator[Cause]:
    spec, old = definition.get("spec") or {}, before.get("spec") or {}
    names, old_names = spec.get("names") or {}, old.get("names") or {}
    for path, new_value, old_value in (
        ("spec.group", spec.get("group"), old.get("group")),
        ("spec.scope", spec.get("scope"), old.get("scope")),
        ("spec.names.kind", names.get("kind"), old_names.get("kind")),
        ("spec.names.plural", names.get("plural"), old_names.get("plural")),
    ):
        if new_value != old_value:
            yield invalid_value(path, new_value, _IMMUTABLE)


def _check_group(group: str, annotations: Object) -> Iterator[Cause]:
    if not group:
        yield required("spec.group")
        return
    yield from (invalid_value("spec.group", group, wrong) for wrong in wrong_with_subdomain(group))
    if "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    is_protected = any(group.endswith(end) or group == end[1:] for end in _PROTECTED)
    if is_protected and not annotations.get(_APPROVAL):
        why = f'protected groups must have approval annotation "{_APPROVAL}", see {_APPROVAL_DOCUMENT}'
        yield required(f"metadata.annotations[{_APPROVAL}]", why)


def _check_names(names: Object) -> Iterator[Cause]:
    for name in ("plural", "singular", "kind", "listKind"):
        text = names.get(name) or ""
        if not text:
            yield required(f"spec.names.{name}")
            continue
        wrongs = wrong_with_label_1035(text.lower() if name in ("kind", "listKind") else text)
        yield from (invalid_value(f"spec.names.{name}", text, wrong) for wrong in wrongs)
    for name in ("shortNames", "categories"):
        for index, text in enumerate(names.get(name) or ()):
            wrongs = wrong_with_label_1035(text)
            yield from (invalid_value(f"spec.names.{name}[{index}]", text, wrong) for wrong in wrongs)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _check_versions(versions: Sequence[Object]) -> Iterator[Cause]:
    if not versions:
        yield required("spec.versions", "must have at least one version")
    seen = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        yield from (invalid_value(f"{path}.name", name, wrong) for wrong in wrong_with_label_1035(name))
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        yield from _check_version(version, path)
    yield from _check_schemas(versions)
    if versions and sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [{key: version.get(key) for key in ("name", "served", "storage")} for version in versions]
        yield invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")


def _check_version(version: Object, path: str) -> Iterator[Cause]:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        yield from _check_column(column, f"{path}.additionalPrinterColumns[{index}]")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        yield from _check_scale(scale, f"{path}.subresources.scale")
    for index, field in enumerate(version.get("selectableFields") or ()):
        path_text = field.get("jsonPath") or ""
        if not is_simple(path_text) or path_text.startswith(".metadata"):
            yield invalid_value(
                f"{path}.selectableFields[{index}].jsonPath", path_text, "must be a simple JSON path to a field"
            )
    if version.get("deprecationWarning") and not version.get("deprecated"):
        yield invalid_value(
            f"{path}.deprecationWarning", version["deprecationWarning"], "can only be set for deprecated versions"
        )


def _check_column(column: Object, path: str) -> Iterator[Cause]:
    if not column.get("name"):
        yield required(f"{path}.name")
    if not column.get("type"):
        yield required(f"{path}.type", "must be one of boolean,date,integer,number,string")
    elif column["type"] not in _COLUMN_TYPES:
        yield invalid_value(f"{path}.type", column["type"], "must be one of boolean,date,integer,number,string")
    text = column.get("jsonPath") or ""
    if not text:
        yield required(f"{path}.JSONPath")
        return
    try:
        parse_path(text)
    except ValueError as error:
        yield invalid_value(f"{path}.JSONPath", text, str(error))


def _check_scale(scale: Object, path: str) -> Iterator[Cause]:
    for name, roots in (
        ("specReplicasPath", (".spec.",)),
        ("statusReplicasPath", (".status.",)),
        ("labelSelectorPath", (".spec.", ".status.")),
    ):
        text = scale.get(name) or ""
        if not text and name != "labelSelectorPath":
            yield required(f"{path}.{name}")
        elif text and not is_simple(text):
            yield invalid_value(f"{path}.{name}", text, "must be a simple json path under " + " or ".join(roots))
        elif text and not text.startswith(roots):
            yield invalid_value(
                f"{path}.{name}", text, f"should be a json path under {' or '.join(root[:-1] for root in roots)}"
            )


def _schema_path(versions: Sequence[Object], index: int) -> str:
    """Kubernetes reads a schema that all versions share as the definition's own, and says so in what it refuses."""
    schemas = [version.get("schema") for version in versions]
    if all(schema == schemas[0] for schema in schemas):
        return "spec.validation.openAPIV3Schema"
    return f"spec.versions[{index}].schema.openAPIV3Schema"


def _check_schemas(versions: Sequence[Object]) -> Iterator[Cause]:
    seen = set()
    for index, version in enumerate(versions):
        text = (version.get("schema") or {}).get("openAPIV3Schema")
        path = _schema_path(versions, index)
        if text is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
        elif path not in seen:
            seen.add(path)
            yield from _check_schema(text, path)


def _check_schema(text: Object, path: str) -> Iterator[Cause]:
    if isinstance(text.get("items"), list):
        yield forbidden_field(f"{path}.items", "items must be a schema object and not an array")
        return
    try:
        node = parse_schema(text)
    except ValueError as error:
        yield invalid_value(path, "object", f"cannot be read as a schema: {error}")
        return
    yield from check_schema(text, node, path)


def _check_stored(definition: Object) -> Iterator[Cause]:
    versions = {version.get("name") for version in (definition.get("spec") or {}).get("versions") or ()}
    for index, name in enumerate((definition.get("status") or {}).get("storedVersions") or ()):
        if name not in versions:
            yield invalid_value(f"status.storedVersions[{index}]", name, "must appear in spec.versions")


def definition_warnings(definition: Object) -> Iterator[str]:
    """What is accepted and not done as it says."""
    spec = definition.get("spec") or {}
    if (spec.get("conversion") or {}).get("strategy") == "Webhook":
        yield "spec.conversion.strategy: Webhook is not called here; objects are converted as by None"
    said = set()
    for version in spec.get("versions") or ():
        text = (version.get("schema") or {}).get("openAPIV3Schema")
        for rule, why in unanswerable_rules(parse_schema(text)) if text is not None else ():
            if rule not in said:
                said.add(rule)
                yield f"x-kubernetes-validations rule is not checked: {rule}: {why}"
