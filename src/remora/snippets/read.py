"""From directives to steps: what a snippet asks for, and what is not understood in it.

A directive whose meaning is not known may keep somebody out; so the whole is refused then, or the one location that it is in.
"""

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from ipaddress import ip_network

import msgspec

from remora.model.snippets import (
    AddressRule,
    AddressRules,
    Answer,
    AnswerHeader,
    ChangePath,
    Comparison,
    Condition,
    HeaderChange,
    Locate,
    Location,
    LocationKind,
    Piece,
    RequestHeader,
    SetVariable,
    Source,
    Step,
    Stop,
    Value,
    When,
)
from remora.snippets import headers
from remora.snippets.headers import Misformed, Needless
from remora.snippets.known import (
    DEFINITIONS,
    NEEDLESS,
    NEEDLESS_BEGINNINGS,
    OFF,
    SETTINGS,
    SKIPPED,
    SKIPPED_BEGINNINGS,
)
from remora.snippets.parse import Directive, SnippetRefused, parse_directives
from remora.snippets.regex import PatternRefused, parse_pattern
from remora.snippets.values import ValueUnknown, parse_value

_REDIRECTS = (301, 302, 303, 307, 308)
_OVERRIDDEN = {"best_http_host": "Host", "pass_access_scheme": "X-Forwarded-Proto", "pass_port": "X-Forwarded-Port"}
"""Variables of ingress-nginx's own, and the header to pods that is made of them."""


class Context(Enum):
    """Where a snippet stands in nginx's configuration."""

    LOCATION = "location"
    SERVER = "server"
    HTTP = "http"
    AUTH = "auth"
    """The question of external authentication."""


class Kind(Enum):
    """What becomes of a directive."""

    STEP = "translated"
    SETTING = "translated, as the annotation"
    NEEDLESS = "nothing to do"
    SKIPPED = "skipped"
    CONFINED = "closes its location"
    REFUSED = "closes"


class Finding(msgspec.Struct, frozen=True):
    """What becomes of one directive, and why if it is not translated."""

    line: int
    directive: str
    kind: Kind
    reason: str = ""


class Reading(msgspec.Struct, frozen=True):
    """A snippet, read. `settings` are annotations, without a prefix, that say the same as some of its directives."""

    steps: tuple[Step, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_refused(self) -> bool:
        return any(one.kind is Kind.REFUSED for one in self.findings)

    @property
    def guards(self) -> bool:
        """Whether it keeps somebody out, as far as that can be told."""
        return self.is_refused or any(_guards(step) for step in self.steps)


def _guards(step: Step) -> bool:
    match step:
        case Answer(status=status):
            return status >= 400
        case AddressRules():
            return True
        case When(steps=steps):
            return any(map(_guards, steps))
        case Locate(locations=locations):
            return any(_guards(inner) for location in locations for inner in location.steps)
        case RequestHeader():
            return True  # pods may believe it
        case _:
            return False


class Refused(Exception):
    """A directive that is not understood."""


class Skipped(Exception):
    """A directive that has an effect which is not to be had, and keeps nobody out."""


@lru_cache(maxsize=4096)
def read_snippet(text: str, context: Context, constants: tuple[tuple[str, str], ...] = ()) -> Reading:
    """What a snippet asks for. `constants` are variables that always have the same value where it stands."""
    try:
        directives = parse_directives(text)
    except SnippetRefused as refusal:
        return Reading(findings=(Finding(1, "", Kind.REFUSED, str(refusal)),))
    reader = _Reader(context, dict(constants), frozenset(_own_variables(directives)))
    steps = reader.block(directives)
    return Reading(steps, tuple(reader.settings.items()), tuple(reader.findings))


def _own_variables(directives: tuple[Directive, ...]) -> Iterator[str]:
    for one in directives:
        if one.name in ("set", "auth_request_set") and one.arguments and one.arguments[0].startswith("$"):
            yield one.arguments[0][1:].lower()
        yield from _own_variables(one.block or ())


class _Reader:
    """Reads one snippet; findings gather in the order of its lines."""

    def __init__(self, context: Context, constants: dict[str, str], own: frozenset[str]) -> None:
        self._context = context
        self._constants = constants
        self._own = own
        self._within: list[str] = []
        self._media_type = "text/html"
        self.settings: dict[str, str] = {}
        self.findings: list[Finding] = []

    def block(self, directives: tuple[Directive, ...]) -> tuple[Step, ...]:
        """The steps of a block: headers first, since in nginx they count wherever they stand in it, then addresses, then what
        runs in order, then its locations."""
        outer_type = self._media_type
        types = [one.arguments[0] for one in directives if one.name == "default_type" and len(one.arguments) == 1]
        if types and re.fullmatch("[a-z0-9/+.-]+", types[-1]):
            self._media_type = types[-1]
        steps: list[Step] = []
        rules: list[AddressRule] = []
        locations: list[Location] = []
        for one in directives:
            self._read(one, steps, rules, locations)
        self._media_type = outer_type
        first = [step for step in steps if isinstance(step, RequestHeader | AnswerHeader)]
        others = [step for step in steps if not isinstance(step, RequestHeader | AnswerHeader)]
        access = [AddressRules(tuple(rules))] if rules else []
        located = [Locate(_in_order(locations))] if locations else []
        return (*first, *access, *others, *located)

    def _read(self, one: Directive, steps: list[Step], rules: list[AddressRule], locations: list[Location]) -> None:
        kind, reason = Kind.STEP, ""
        place = len(self.findings)
        try:
            if one.name in ("allow", "deny"):
                rules.append(self._address_rule(one))
            elif one.name == "location":
                locations += self._location(one)
            elif self._is_setting(one):
                kind, reason = Kind.SETTING, SETTINGS[one.name]
            else:
                steps += self._steps(one)
        except (Needless, Skipped) as why:
            kind, reason = (Kind.NEEDLESS if isinstance(why, Needless) else Kind.SKIPPED), str(why)
        except (Misformed, ValueUnknown, PatternRefused, Refused) as why:
            kind, reason = self._when_not_understood(one, steps, str(why))
        self.findings.insert(place, Finding(one.line, one.name, kind, reason))

    def _when_not_understood(self, one: Directive, steps: list[Step], why: str) -> tuple[Kind, str]:
        if one.name in headers.ANSWER:
            return Kind.SKIPPED, why
        if one.name == "proxy_set_header" and one.arguments and re.fullmatch("[A-Za-z0-9_-]+", one.arguments[0]):
            # What a client sends under that name must not be taken for what is missing here.
            steps.append(RequestHeader(HeaderChange.REMOVE, one.arguments[0]))
            return Kind.SKIPPED, f"{why}; the header is removed"
        return (Kind.CONFINED if "location" in self._within else Kind.REFUSED), why

    def _steps(self, one: Directive) -> Iterator[Step]:
        name = one.name
        if one.block is not None and name != "if" and name not in DEFINITIONS:
            raise Refused("a block of that kind is not known here")
        if name in headers.REQUEST:
            yield from headers.REQUEST[name](one, self._value)
        elif name in headers.ANSWER:
            yield from headers.ANSWER[name](one, self._answer_value)
        elif name in _STEPS:
            yield from _STEPS[name](self, one)
        else:
            self._dismiss(one)

    def _dismiss(self, one: Directive) -> None:
        """Tells why there is no step for a directive."""
        name, first = one.name, (one.arguments or ("",))[0]
        if name in NEEDLESS or (name.startswith(NEEDLESS_BEGINNINGS) and one.block is None):
            raise Needless(NEEDLESS.get(name, "") or "it has no meaning here")
        if name in SKIPPED or name.startswith(SKIPPED_BEGINNINGS):
            raise Skipped(SKIPPED.get(name, "") or "it has no effect here")
        if name in SETTINGS:
            raise Skipped(f"it counts for a whole Ingress only; use the annotation {SETTINGS[name]}")
        if name in OFF and first == "off":
            raise Skipped("what the Ingress asks for stays")
        if name in DEFINITIONS and self._context is Context.HTTP:
            raise Skipped("what it defines is not known here")
        if name == "satisfy" and first == "all":
            raise Needless("it is so anyway")
        raise Refused("it is not known here, and may keep somebody out")

    def _value(self, text: str) -> Value:
        return parse_value(text, constants=self._constants, own=self._own)

    def _answer_value(self, text: str) -> Value:
        return parse_value(text, constants=self._constants, own=self._own, of_answer=True)

    def _is_setting(self, one: Directive) -> bool:
        """Takes a directive that says what an annotation could, if it stands for the whole."""
        if self._within or one.name not in SETTINGS or self._context is Context.AUTH or not one.arguments:
            return False
        if one.name.endswith("_timeout"):
            text = str(headers.seconds(" ".join(one.arguments)))
        else:
            text = " ".join(f'"{word}"' if ";" in word or " " in word else word for word in one.arguments)
        self.settings[SETTINGS[one.name]] = text
        return True

    def _address_rule(self, one: Directive) -> AddressRule:
        if len(one.arguments) != 1:
            raise Misformed("it takes one network")
        text = one.arguments[0]
        if text == "all":
            return AddressRule(one.name == "allow")
        try:
            return AddressRule(one.name == "allow", str(ip_network(text, strict=False)))
        except ValueError:
            raise Misformed(f"{text!r} is no network") from None

    def _location(self, one: Directive) -> Iterator[Location]:
        modifier, path = (
            ("", *one.arguments) if len(one.arguments) == 1 else one.arguments if len(one.arguments) == 2 else ("", "")
        )
        if path.startswith("@"):
            raise Skipped("nothing leads to it")
        if one.block is None or not path or modifier not in ("", "=", "~", "~*", "^~") or "if" in self._within:
            raise Misformed("it takes a path, maybe after =, ~, ~* or ^~, and a block")
        pattern = parse_pattern(path, folds_case=modifier == "~*") if modifier.startswith("~") else None
        self._within.append("location")
        before = len(self.findings)
        steps = self.block(one.block)
        self._within.pop()
        closed = any(finding.kind is Kind.CONFINED for finding in self.findings[before:])
        kind = LocationKind.PATTERN if pattern else LocationKind.EXACT if modifier == "=" else LocationKind.PREFIX
        yield Location(kind, path, (Answer(503),) if closed else steps, pattern)

    def _set(self, one: Directive) -> Iterator[Step]:
        if len(one.arguments) != 2 or not re.fullmatch(r"\$[A-Za-z0-9_]+", one.arguments[0]):
            raise Misformed("it takes a variable and a value")
        name, value = one.arguments[0][1:].lower(), self._value(one.arguments[1])
        yield SetVariable(name, value)
        if name in _OVERRIDDEN:
            yield RequestHeader(HeaderChange.SET, _OVERRIDDEN[name], (Piece(Source.VARIABLE, name),))

    def _break(self, _one: Directive) -> Iterator[Step]:
        yield Stop()

    def _internal(self, _one: Directive) -> Iterator[Step]:
        yield Answer(404)

    def _return(self, one: Directive) -> Iterator[Step]:
        code, *text = one.arguments or ("",)
        if len(text) > 1:
            raise Misformed("it takes a status and a text")
        if not code.isdecimal():
            if text or not code.startswith(("http://", "https://", "$scheme")):
                raise Misformed("it takes a status, or a URL")
            yield Answer(302, self._value(code))
        elif len(code) == 3 and 200 <= int(code) <= 599:
            yield Answer(int(code), self._value(text[0]) if text else (), self._media_type)
        else:
            raise Misformed(f"{code} is no status of an answer")

    def _rewrite(self, one: Directive) -> Iterator[Step]:
        pattern, target, *flags = one.arguments if len(one.arguments) in (2, 3) else ("", "")
        if not pattern or (flags and flags[0] not in ("permanent", "redirect", "break", "last")):
            raise Misformed("it takes a pattern, a target, and maybe permanent, redirect, break or last")
        flag = flags[0] if flags else ""
        is_elsewhere = target.startswith(("http://", "https://", "$scheme"))
        status = 301 if flag == "permanent" else 302 if flag == "redirect" or is_elsewhere else 0
        drops = target.endswith("?")
        value = self._value(target.removesuffix("?"))
        if not value:
            raise Misformed("a path has no empty text")
        yield ChangePath(parse_pattern(pattern), value, status, drops_query=drops, ends=flag in ("break", "last"))

    def _if(self, one: Directive) -> Iterator[Step]:
        self._within.append("if")
        steps = self.block(one.block or ())
        self._within.pop()
        try:
            condition = self._condition(one)
        except (Misformed, ValueUnknown, PatternRefused) as why:
            if any(not isinstance(step, AnswerHeader) for step in steps):
                raise
            raise Skipped(str(why)) from None
        yield When(condition, steps)

    def _condition(self, one: Directive) -> Condition:
        words = list(one.arguments)
        if one.block is None or not words or not words[0].startswith("(") or not words[-1].endswith(")"):
            raise Misformed("it takes a condition in brackets, and a block")
        words[0], words[-1] = words[0][1:], words[-1] if len(words) > 1 else words[0][1:]
        words[-1] = words[-1][:-1]
        words = [word for number, word in enumerate(words) if word or 0 < number < len(words) - 1]
        if len(words) == 2 and one.arguments[-1] == ")":
            words.append("")
        if not words or not words[0].startswith("$"):
            raise Misformed("a condition on a file or a text is not known here")
        value = self._value(words[0])
        match words[1:]:
            case []:
                return Condition(value, Comparison.IS_SET)
            case ["=" | "!=" as how, other]:
                return Condition(value, Comparison.EQUALS, self._value(other), is_negated=how == "!=")
            case ["~" | "~*" | "!~" | "!~*" as how, pattern]:
                found = parse_pattern(pattern, folds_case="*" in how)
                return Condition(value, Comparison.MATCHES, pattern=found, is_negated=how.startswith("!"))
        raise Misformed("a condition of that form is not known here")


_STEPS = {
    "if": _Reader._if,
    "set": _Reader._set,
    "auth_request_set": _Reader._set,
    "return": _Reader._return,
    "rewrite": _Reader._rewrite,
    "break": _Reader._break,
    "internal": _Reader._internal,
}


def _in_order(locations: list[Location]) -> tuple[Location, ...]:
    """Exact paths, then patterns as they stand, then prefixes, longest first."""
    rank = {LocationKind.EXACT: 0, LocationKind.PATTERN: 1, LocationKind.PREFIX: 2}
    return tuple(sorted(locations, key=lambda one: (rank[one.kind], -len(one.path) if one.kind is LocationKind.PREFIX else 0)))
