"""Rules of roles, and what they allow: the definition, one rule after the other (Kubernetes' `PolicyRule`). Pure.

`index` answers the same questions by looking up; a property test holds one against the other.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import msgspec

Object = dict[str, Any]
ALL = "*"


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is about to do. Without `resource` it is a request for the plain `path`."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def combined(self) -> str:
        """The resource as rules name it: `pods`, or `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(msgspec.Struct, frozen=True):
    """Verbs on resources, or on paths."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


EVERYTHING = (
    Rule((ALL,), (ALL,), (ALL,)),
    Rule((ALL,), paths=(ALL,)),
)


def parse_rules(given: Iterable[Object] | None) -> tuple[Rule, ...]:
    """The rules of a stored role."""
    return tuple(
        Rule(
            tuple(rule.get("verbs") or ()),
            tuple(rule.get("apiGroups") or ()),
            tuple(rule.get("resources") or ()),
            tuple(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )
        for rule in given or ()
    )


def wire_rule(rule: Rule) -> Object:
    """The rule as roles and reviews have it."""
    named = (
        ("verbs", rule.verbs),
        ("apiGroups", rule.groups),
        ("resources", rule.resources),
        ("resourceNames", rule.names),
        ("nonResourceURLs", rule.paths),
    )
    return {key: list(values) for key, values in named if values}


def allows(rule: Rule, asked: Attributes) -> bool:
    if not _has(rule.verbs, asked.verb):
        return False
    if not asked.resource:
        return any(path_matches(path, asked.path) for path in rule.paths)
    return (
        _has(rule.groups, asked.group)
        and any(_resource_matches(found, asked) for found in rule.resources)
        and (not rule.names or asked.name in rule.names)
    )


def path_matches(pattern: str, path: str) -> bool:
    """`/healthz`, `/healthz/*` or `*`."""
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def _has(listed: tuple[str, ...], wanted: str) -> bool:
    return ALL in listed or wanted in listed


def _resource_matches(found: str, asked: Attributes) -> bool:
    return found in (ALL, asked.combined) or bool(asked.subresource and found == f"{ALL}/{asked.subresource}")


def uncovered(owned: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The smallest parts of `wanted` that `owned` does not grant: nobody hands on what they do not have."""
    held = tuple(owned)
    parts = dict.fromkeys(part for rule in wanted for part in _parts(rule))
    return [part for part in parts if not any(_covers(rule, part) for rule in held)]


def _parts(rule: Rule) -> Iterator[Rule]:
    """A rule in rules of one verb and one resource or path each."""
    for verb, group, resource in product(rule.verbs, rule.groups, rule.resources):
        for name in rule.names or ("",):
            yield Rule((verb,), (group,), (resource,), (name,) if name else ())
    for verb, path in product(rule.verbs, rule.paths):
        yield Rule((verb,), paths=(path,))


def _covers(owned: Rule, part: Rule) -> bool:
    """Whether a rule grants all that a part of another does; the part's `*` is covered by `*` alone."""
    if not _has(owned.verbs, part.verbs[0]):
        return False
    if part.paths:
        return any(path_matches(path, part.paths[0]) for path in owned.paths)
    subresource = part.resources[0].partition("/")[2]
    return (
        _has(owned.groups, part.groups[0])
        and (_has(owned.resources, part.resources[0]) or bool(subresource and f"{ALL}/{subresource}" in owned.resources))
        and (not owned.names or bool(part.names and part.names[0] in owned.names))
    )


def render_rules(rules: Iterable[Rule]) -> str:
    """Rules as Kubernetes lists them in a refusal, one a line; verbs on one thing together."""
    verbs: dict[Rule, list[str]] = {}
    for rule in rules:
        verbs.setdefault(msgspec.structs.replace(rule, verbs=()), []).extend(rule.verbs)
    return "\n".join(sorted(_render(rule, found) for rule, found in verbs.items()))


def _render(rule: Rule, verbs: list[str]) -> str:
    named = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("ResourceNames", rule.names),
        ("NonResourceURLs", rule.paths),
        ("Verbs", tuple(verbs)),
    )
    return "{" + ", ".join(f"{key}:{_render_list(values)}" for key, values in named if values) + "}"


def _render_list(values: Iterable[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"
