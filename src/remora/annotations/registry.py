"""All rows by name, and the reading of all annotations of an object.

Whatever is written under one of our prefixes ends in a group's field or in a Problem; nothing is passed over in silence.
"""

import dataclasses
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

import msgspec

from remora.annotations.acceptance import Acceptance
from remora.annotations.affinity import Affinity
from remora.annotations.allowlist import AddressLists
from remora.annotations.auth_basic import AuthBasic
from remora.annotations.auth_external import AuthExternal
from remora.annotations.backend_tls import BackendProtocol, BackendTls
from remora.annotations.balancing import Balancing
from remora.annotations.body import Body
from remora.annotations.canary import Canary
from remora.annotations.client_tls import ClientTls
from remora.annotations.configmap import GROUPS as CONFIGMAP_GROUPS
from remora.annotations.cors import Cors
from remora.annotations.declare import NOTES, OWN_PREFIX, OnInvalid, Risk, Row, Support, rows_of
from remora.annotations.error_pages import ErrorPages
from remora.annotations.firewall import Firewall
from remora.annotations.headers import Headers
from remora.annotations.hosts import Aliases
from remora.annotations.mirror import Mirror
from remora.annotations.observing import Observing
from remora.annotations.rate_limit import RateLimit
from remora.annotations.redirect import Redirect
from remora.annotations.responses import Responses
from remora.annotations.rewrite import Rewrite
from remora.annotations.sessions import Sessions
from remora.annotations.snippets import Snippets, SnippetSettings
from remora.annotations.timeouts import Timeouts
from remora.annotations.tls import Tls
from remora.annotations.unread import Unread
from remora.annotations.values import ValueRefused
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity

G = TypeVar("G")

GROUPS: tuple[type, ...] = (
    Acceptance, Affinity, AddressLists, Aliases, AuthBasic, AuthExternal, BackendProtocol, BackendTls, Balancing, Body, Canary,
    ClientTls, Cors, ErrorPages, Firewall, Headers, Mirror, Observing, RateLimit, Redirect, Responses, Rewrite, Sessions,
    Snippets, SnippetSettings, Timeouts, Tls, Unread, *CONFIGMAP_GROUPS,
)  # fmt: skip

UNREAD = "AnnotationUnread"
"""The code of a Problem with a name that ingress-nginx does not read; `report` knows it by this."""

VALUE_REFUSED = "the value is refused"
"""How the message of a Problem begins that a parser's refusal makes; `report.admission` knows it by this."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a row stands: the group, and the name of its field."""

    group: type
    field: str
    row: Row


@cache
def rows() -> tuple[Row, ...]:
    """Every row that an annotation can name, by name: what reference pages and reports are made from."""
    return tuple(sorted((place.row for place in _places() if place.row.name), key=lambda row: row.name))


@cache
def setting_rows() -> tuple[Row, ...]:
    """Every row that the controller's ConfigMap can fill, by its key."""
    return tuple(sorted((place.row for place in _places() if place.row.global_key), key=lambda row: row.global_key))


@cache
def _settings_by_key() -> dict[str, Place]:
    return {place.row.global_key: place for place in _places() if place.row.global_key}


def find_setting(key: str) -> Row | None:
    """The row of a key of the controller's ConfigMap; case means nothing."""
    place = _settings_by_key().get(key.lower())
    return place.row if place else None


@lru_cache(maxsize=4096)
def find_nearest_setting(key: str) -> str | None:
    """The key that somebody who wrote an unknown one may have meant."""
    matches = get_close_matches(key.lower(), sorted(_settings_by_key()), n=1, cutoff=0.75)
    return matches[0] if matches else None


@cache
def _places() -> tuple[Place, ...]:
    return tuple(Place(group, field, row) for group in GROUPS for field, row in rows_of(group).items())


@cache
def _places_by_name() -> dict[str, Place]:
    return {name: place for place in _places() if place.row.name for name in (place.row.name, *place.row.aliases)}


def find_row(key: str) -> Row | None:
    """The row of an annotation, or of one of its aliases, by its key: a prefix of ours, a slash and the name."""
    prefix, _, name = key.partition("/")
    place = _find_place(prefix, name)
    return place.row if place else None


def is_ours(key: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the annotation is the controller's to read; `prefixes` are those of ingress-nginx's annotations."""
    prefix = key.partition("/")[0]
    return (prefix == OWN_PREFIX or prefix in prefixes) and key not in NOTES


def _find_place(prefix: str, name: str) -> Place | None:
    place = _places_by_name().get(name)
    return place if place and place.row.own == (prefix == OWN_PREFIX) else None


@lru_cache(maxsize=4096)
def find_nearest_name(name: str) -> str | None:
    """The name that somebody who wrote an unknown one may have meant."""
    known = sorted(name for name, place in _places_by_name().items() if place.row.support is not Support.UNREAD)
    matches = get_close_matches(name, known, n=1, cutoff=0.75)
    if not matches:
        return None
    return f"{OWN_PREFIX}/{matches[0]}" if _places_by_name()[matches[0]].row.own else matches[0]


class Written(msgspec.Struct, frozen=True, gc=False):
    """A text that stands somewhere under a known name; `field` says where, as Problems do."""

    place: Place
    field: str
    text: str


class Defaults(msgspec.Struct, frozen=True, gc=False):
    """What counts where an Ingress says nothing: the rows' defaults, as the controller's ConfigMap replaces them.

    `groups` holds only groups with a replaced value; `guards` are the rows of guards that the ConfigMap asks for in vain.
    """

    groups: dict[type, Any] = {}
    guards: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    def of(self, group: type[G]) -> G:
        """The group as it is without any annotation."""
        found: G | None = self.groups.get(group)
        return _unchanged(group) if found is None else found


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """All annotations of an Ingress. A closed Ingress must not be served: something that it asks for is not to be had."""

    defaults: Defaults
    groups: dict[type, Any] = {}
    problems: tuple[Problem, ...] = ()
    is_closed: bool = False
    closing: frozenset[str] = frozenset()
    """The rows because of which it is closed, by annotation or key."""

    def of(self, group: type[G]) -> G:
        """The group as the Ingress has it."""
        # Asked eighty times for each Ingress, so without a call of `Defaults.of`.
        found: G | None = self.groups.get(group)
        if found is None:
            found = self.defaults.groups.get(group)
        return _unchanged(group) if found is None else found


def guards_of(parsed: Parsed) -> dict[str, Any]:
    """The values other than by default of all that guards access, by annotation or key."""
    values = ((place.row, getattr(parsed.of(place.group), place.field)) for place in _places() if place.row.guards)
    return {_called(row): value for row, value in values if value != row.default}


def _made(group: type[G]) -> G:
    return group()


_unchanged: Callable[[type[G]], G] = cache(_made)  # type: ignore[assignment]


def parse(
    group: type[G], annotations: Mapping[str, str], *, object: ObjectRef, prefixes: tuple[str, ...], defaults: Defaults
) -> tuple[G, tuple[Problem, ...]]:
    """One group of an object's annotations, and what is wrong in it."""
    known, _ = _find_written(annotations, prefixes)
    parsed = _parse_written([one for one in known if one.place.group is group], object=object, defaults=defaults)
    return parsed.of(group), parsed.problems


def parse_all(annotations: Mapping[str, str], *, object: ObjectRef, prefixes: tuple[str, ...], defaults: Defaults) -> Parsed:
    """Every group of an object's annotations. Problems come in the order of the annotations' names.

    Objects whose annotations are the same and right share the result.
    """
    ours = tuple((key, text) for key, text in annotations.items() if is_ours(key, prefixes))
    nobody = ObjectRef(object.kind, NamespacedName("", ""))
    shared = _parse_alike(ours, nobody, prefixes, _Same(defaults))
    return _parse_all(dict(ours), object=object, prefixes=prefixes, defaults=defaults) if shared.problems else shared


class _Same:
    """Defaults as the key of a cache: equal to themselves alone, so that nobody has to compare hundreds of settings."""

    __slots__ = ("defaults",)

    def __init__(self, defaults: Defaults) -> None:
        self.defaults = defaults

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.defaults is other.defaults

    def __hash__(self) -> int:
        return id(self.defaults)


@lru_cache(maxsize=1024)
def _parse_alike(
    annotations: tuple[tuple[str, str], ...], nobody: ObjectRef, prefixes: tuple[str, ...], defaults: _Same
) -> Parsed:
    return _parse_all(dict(annotations), object=nobody, prefixes=prefixes, defaults=defaults.defaults)


def _parse_all(annotations: Mapping[str, str], *, object: ObjectRef, prefixes: tuple[str, ...], defaults: Defaults) -> Parsed:
    known, unknown = _find_written(annotations, prefixes)
    parsed = _parse_written(known, object=object, defaults=defaults)
    if not unknown:
        return parsed
    unknown_names = tuple(_unknown_name(object, key) for key in sorted(unknown))
    return msgspec.structs.replace(parsed, problems=parsed.problems + unknown_names)


def parse_defaults(data: Mapping[str, str], *, object: ObjectRef) -> Defaults:
    """What a ConfigMap sets. Keys are compared without regard to case; an empty text says nothing.

    What guards access and cannot be honoured closes every Ingress that does not say otherwise.
    """
    texts = {key.lower(): (key, text) for key, text in sorted(data.items()) if text.strip()}
    known = _settings_by_key()
    written = [Written(known[name], f"data[{key}]", text) for name, (key, text) in texts.items() if name in known]
    # The one who writes it may run anything anyhow: no risk is too high.
    parsed = _parse_written(written, object=object, defaults=Defaults(), highest_risk=Risk.CRITICAL)
    unknown = tuple(_unknown_setting(object, key) for name, (key, _) in texts.items() if name not in known)
    return Defaults(groups=parsed.groups, guards=parsed.closing, problems=parsed.problems + unknown)


def _find_written(annotations: Mapping[str, str], prefixes: tuple[str, ...]) -> tuple[list[Written], list[str]]:
    """The annotations under our prefixes: those with a row, in the order of their names, and the keys of the others.

    Where several give a value for one row, one that says something goes before an empty one, the name before an alias, and
    then the earlier prefix before the later.
    """
    best: dict[str, tuple[tuple[bool, bool, int], Written]] = {}
    unknown = []
    for key, text in annotations.items():
        if not is_ours(key, prefixes):
            continue
        prefix, _, name = key.partition("/")
        place = _find_place(prefix, name)
        if place is None:
            unknown.append(key)
            continue
        row = place.row
        rank = (not text.strip(), name != row.name, 0 if row.own else prefixes.index(prefix))
        if row.name not in best or rank < best[row.name][0]:
            best[row.name] = rank, Written(place, f"metadata.annotations[{key}]", text)
    return [best[name][1] for name in sorted(best)], unknown


def counting_keys(annotations: Mapping[str, str], prefixes: tuple[str, ...]) -> frozenset[str]:
    """The keys of the annotations that count: of several for one row only one does."""
    known, _ = _find_written(annotations, prefixes)
    return frozenset(one.field.removeprefix("metadata.annotations[").removesuffix("]") for one in known)


def _parse_written(
    written: list[Written], *, object: ObjectRef, defaults: Defaults, highest_risk: Risk | None = None
) -> Parsed:
    values: dict[type, dict[str, Any]] = {}
    problems: list[Problem] = []
    closing = set(defaults.guards)
    accepted = defaults.of(Acceptance)
    if highest_risk is not None:
        accepted = Acceptance(highest_risk)
    for one in written:
        verdict = _judge(one, object=object, accepted=accepted)
        closing.discard(_called(one.place.row))
        if verdict.has_value:
            values.setdefault(one.place.group, {})[one.place.field] = verdict.value
        if verdict.problem:
            problems.append(verdict.problem)
        if verdict.closes:
            closing.add(_called(one.place.row))
    groups = {group: dataclasses.replace(cast(Any, defaults.of(group)), **fields) for group, fields in values.items()}
    return Parsed(defaults, groups, tuple(problems), bool(closing), frozenset(closing))


class _Verdict(msgspec.Struct, frozen=True, gc=False):
    value: Any = None
    has_value: bool = False
    problem: Problem | None = None
    closes: bool = False


_ASKS_NOTHING = _Verdict()

_CLOSED = "every path of this Ingress answers 503"
_SETTING_REFUSED = "SettingRefused"
"""The code where it is a key of the ConfigMap: it is corrected there, and another page tells what it takes."""
_ALL_CLOSED = "every path of every Ingress that does not say otherwise answers 503"


def _judge(written: Written, *, object: ObjectRef, accepted: Acceptance) -> _Verdict:
    """What one text does."""
    row = written.place.row
    word = next((word for word in accepted.forbidden_words if word in written.text), None)
    if word is not None:
        message = f"the value holds {word!r}, a word of annotation-value-word-blocklist"
        return _closing(object, written.field, code="AnnotationForbidden", message=message)
    if row.support is Support.REFUSED:
        if row.inert(written.text):
            return _ASKS_NOTHING
        message = f"{_called(row)} may keep somebody out and cannot be honoured: {row.differs}"
        code = "AnnotationNotHonoured" if object.kind == "Ingress" else _SETTING_REFUSED
        return _closing(object, written.field, code=code, message=message.rstrip("."))
    if row.support is Support.UNREAD:
        message = f"{row.doc} {row.differs}".rstrip(".")
        return _Verdict(problem=Problem(object, written.field, UNREAD, message, "it has no effect"))
    if row.risk > accepted.highest_risk:
        highest = accepted.highest_risk.name.lower()
        message = f"{_called(row)} has risk {row.risk.name.lower()}, and {highest} is the highest accepted"
        return _closing(object, written.field, code="AnnotationTooRisky", message=message)
    try:
        return _Verdict(value=row.parse(written.text), has_value=True)
    except ValueRefused as refusal:
        return _refused(row, object=object, field=written.field, why=str(refusal))


def _refused(row: Row, *, object: ObjectRef, field: str, why: str) -> _Verdict:
    message = f"{VALUE_REFUSED}: {why}"
    code = "AnnotationRefused" if object.kind == "Ingress" else _SETTING_REFUSED
    if row.on_invalid is OnInvalid.DENY and (object.kind == "Ingress" or row.guards):
        return _closing(object, field, code=code, message=message)
    default = str(row.default).lower() if isinstance(row.default, bool) else row.default
    default = ", ".join(default) if isinstance(default, tuple) else default
    consequence = f"the default {default} is used" if default not in ("", None) else "it has no effect"
    return _Verdict(problem=Problem(object, field, code, message, consequence))


def _closing(object: ObjectRef, field: str, *, code: str, message: str) -> _Verdict:
    consequence = _CLOSED if object.kind == "Ingress" else _ALL_CLOSED
    return _Verdict(problem=Problem(object, field, code, message, consequence, Severity.ERROR), closes=True)


def _called(row: Row) -> str:
    return row.name or row.global_key


def _unknown_name(object: ObjectRef, key: str) -> Problem:
    prefix, _, name = key.partition("/")
    nearest = find_nearest_name(name)
    hint = f"; did you mean {nearest}?" if nearest else ""
    field = f"metadata.annotations[{prefix}/{name}]"
    return Problem(object, field, "AnnotationUnknown", f"no annotation of that name is known{hint}", "it has no effect")


def _unknown_setting(object: ObjectRef, key: str) -> Problem:
    nearest = find_nearest_setting(key)
    hint = f"; did you mean {nearest}?" if nearest else ""
    return Problem(object, f"data[{key}]", "SettingUnknown", f"no key of that name is known{hint}", "it has no effect")
