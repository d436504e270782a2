"""Names, labels and finalizers checked as Kubernetes does, in its words (apimachinery `util/validation`). Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from remora.cluster.api.errors import Cause, invalid_value, required

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"

_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    f"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_LABEL_1035_MESSAGE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    f"with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_LABEL_1035}')"
)
_QUALIFIED_MESSAGE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_LABEL_VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    f"an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '{_LABEL_VALUE}')"
)

_QUALIFIED_SHAPE = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}') with an optional "
    "DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_LONGEST_ANNOTATIONS = 256 * 1024


def _wrong_with(text: str, *, pattern: str, message: str, longest: int) -> list[str]:
    wrong = [f"must be no more than {longest} bytes"] if len(text.encode()) > longest else []
    return wrong if _compiled(pattern).fullmatch(text) else [*wrong, message]


_compiled = cache(re.compile)


def wrong_with_subdomain(text: str) -> list[str]:
    """What is wrong with a DNS-1123 subdomain; empty if nothing is."""
    return _wrong_with(text, pattern=_SUBDOMAIN, message=_SUBDOMAIN_MESSAGE, longest=253)


def wrong_with_label(text: str) -> list[str]:
    return _wrong_with(text, pattern=_LABEL, message=_LABEL_MESSAGE, longest=63)


def wrong_with_label_1035(text: str) -> list[str]:
    return _wrong_with(text, pattern=_LABEL_1035, message=_LABEL_1035_MESSAGE, longest=63)


def wrong_with_path_segment(text: str) -> list[str]:
    """Names of RBAC objects, which may hold anything that fits into one segment of a path."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{found}'" for found in ("/", "%") if found in text]


NAME_RULES: Mapping[str, Callable[[str], list[str]]] = {
    "subdomain": wrong_with_subdomain,
    "label": wrong_with_label,
    "label1035": wrong_with_label_1035,
    "path": wrong_with_path_segment,
}


def wrong_with_qualified_name(text: str) -> list[str]:
    """A label's or annotation's key: a name, with an optional DNS prefix and a slash before it."""
    prefix, slash, name = text.rpartition("/")
    if slash and ("/" in prefix or not prefix):
        if not prefix:
            return ["prefix part must be non-empty"]
        return [_QUALIFIED_SHAPE]
    wrong = [f"prefix part {message}" for message in wrong_with_subdomain(prefix)] if slash else []
    if not name:
        return [*wrong, "name part must be non-empty", _QUALIFIED_MESSAGE]
    return wrong + _wrong_with(name, pattern=_QUALIFIED, message=_QUALIFIED_MESSAGE, longest=63)


def wrong_with_label_value(text: str) -> list[str]:
    return _wrong_with(text, pattern=_LABEL_VALUE, message=_LABEL_VALUE_MESSAGE, longest=63)


def check_labels(labels: Mapping[str, str], field: str) -> Iterator[Cause]:
    for key, value in sorted(labels.items()):
        yield from (invalid_value(field, key, wrong) for wrong in wrong_with_qualified_name(key))
        yield from (invalid_value(field, value, wrong) for wrong in wrong_with_label_value(value))


def check_metadata(metadata: Mapping[str, Any], *, name_rule: str) -> Iterator[Cause]:
    """Everything wrong with an object's metadata, in the order in which Kubernetes reports it."""
    wrong_with_name = NAME_RULES[name_rule]
    prefix = metadata.get("generateName") or ""
    if prefix:
        # Kubernetes checks the prefix with its trailing dash masked (`NameIsDNSSubdomain(name, prefix=true)`).
        masked = prefix[:-1] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        yield from (invalid_value("metadata.generateName", prefix, wrong) for wrong in wrong_with_name(masked))
    name = metadata.get("name") or ""
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from (invalid_value("metadata.name", name, wrong) for wrong in wrong_with_name(name))
    yield from check_labels(metadata.get("labels") or {}, "metadata.labels")
    yield from _check_annotations(metadata.get("annotations") or {})
    yield from _check_finalizers(metadata.get("finalizers") or ())


def are_too_long(annotations: Mapping[str, str]) -> bool:
    """Whether annotations are more than an object may carry."""
    return sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _LONGEST_ANNOTATIONS


def _check_annotations(annotations: Mapping[str, str]) -> Iterator[Cause]:
    for key in sorted(annotations):
        # Upper case was always allowed in annotation keys, so Kubernetes lowers them before it looks.
        yield from (invalid_value("metadata.annotations", key, wrong) for wrong in wrong_with_qualified_name(key.lower()))
    if are_too_long(annotations):
        yield Cause("metadata.annotations", "FieldValueTooLong", f"Too long: may not be more than {_LONGEST_ANNOTATIONS} bytes")


def _check_finalizers(finalizers: Sequence[str]) -> Iterator[Cause]:
    for finalizer in finalizers:
        yield from (invalid_value("metadata.finalizers", finalizer, wrong) for wrong in wrong_with_qualified_name(finalizer))
    for index, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(f"metadata.finalizers[{index}]", finalizer, detail)
