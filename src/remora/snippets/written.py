"""Steps as one line of text, for the data plane that walks them: see `snippet_entry`."""

from collections.abc import Iterable, Iterator
from typing import assert_never
from urllib.parse import quote

from remora.model.snippets import (
    AddressRules,
    Answer,
    AnswerHeader,
    ChangePath,
    Condition,
    HeaderChange,
    Locate,
    Location,
    Piece,
    RequestHeader,
    SetVariable,
    Source,
    Step,
    Stop,
    Value,
    When,
)
from remora.snippets.written_patterns import pattern_entry

LARGEST = 15000
"""Bytes of an entry; HAProxy's commands have 16 kB."""

COMMON_NAMES = (
    "Cache-Control",
    "Content-Security-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Robots-Tag",
    "X-XSS-Protection",
)
"""Headers that most snippets are about; the program has a rule for each."""

_COMMON = {name.lower(): name for name in COMMON_NAMES}
_CHANGED = (Source.REQUEST_URI, Source.URI, Source.ARGUMENTS, Source.QUESTION_MARK, Source.ARGUMENT)
"""What of a request other policies change for its pod, beside the Host."""

_LETTERS = {
    Source.TEXT: "T",
    Source.VARIABLE: "V",
    Source.GROUP: "G",
    Source.HEADER: "H",
    Source.ARGUMENT: "A",
    Source.COOKIE: "C",
    Source.AUTH_HEADER: "U",
    Source.ANSWER_HEADER: "R",
}
Item = str | tuple["Item", ...]


def snippet_entry(steps: tuple[Step, ...]) -> str:
    """Who is wanted (see `haproxy.features.snippets`), a colon, and the steps as lists: brackets, items between commas, each a
    list or a dot and percent-encoded text. "" without steps."""
    if not steps:
        return ""
    rest = [step for step in steps if not _is_common(step)]
    text = "".join(map(_text, (_step(step) for step in rest)))
    return f"{_kinds(steps, rest)}:{text}"


def common_entries(route: str, steps: tuple[Step, ...]) -> Iterator[tuple[str, str]]:
    """The entries of a route in the map `snippet-headers`."""
    for step in steps:
        if isinstance(step, AnswerHeader) and _is_common(step):
            yield f"{route}/{_COMMON[step.name.lower()]}", "".join(piece.name for piece in step.value)


def _is_common(step: Step) -> bool:
    is_always = isinstance(step, AnswerHeader) and step.change is HeaderChange.SET and not (step.statuses or step.types)
    if not is_always or not isinstance(step, AnswerHeader) or step.name.lower() not in _COMMON:
        return False
    text = "".join(piece.name for piece in step.value)
    is_constant = all(piece.source is Source.TEXT for piece in step.value)
    return is_constant and text.isascii() and text.isprintable() and text == text.strip() and 0 < len(text) < LARGEST


def _kinds(steps: tuple[Step, ...], rest: list[Step]) -> str:
    all_steps = list(_flat(rest))
    changes_request = any(isinstance(step, RequestHeader) for step in all_steps)
    changes_answer = any(isinstance(step, AnswerHeader) for step in all_steps)
    decides = any(_is_early(step) for step in all_steps)
    return "r" * decides + "q" * changes_request + "a" * changes_answer + "c" * (len(rest) < len(steps))


def _is_early(step: Step) -> bool:
    """Whether it must be looked at before the request has been changed by anything else."""
    match step:
        case AnswerHeader(value=value):
            return any(piece.source not in (Source.TEXT, Source.ANSWER_HEADER, Source.STATUS) for piece in value)
        case RequestHeader(value=value):
            return any(piece.source in _CHANGED for piece in value)
        case _:
            return True


def _flat(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, When):
            yield from _flat(step.steps)
        elif isinstance(step, Locate):
            for location in step.locations:
                yield from _flat(location.steps)


def _text(item: Item) -> str:
    if isinstance(item, str):
        return "." + quote(item.encode("utf-8", "surrogateescape"), safe="/:=+-$&@!*<>[]{}|^?~")
    return f"({','.join(map(_text, item))})"


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _value(value: Value) -> Item:
    return tuple(_piece(piece) for piece in value)


def _piece(piece: Piece) -> str:
    return f"{_LETTERS[piece.source]}{piece.name}" if piece.source in _LETTERS else f"N{piece.source.value}"


def _condition(one: Condition) -> Item:
    other = pattern_entry(one.pattern) if one.pattern else _value(one.other)
    return (_value(one.value), one.comparison.value, other, _flag(one.is_negated))


def _location(one: Location) -> Item:
    steps: Item = tuple(_step(step) for step in one.steps)
    return (one.kind.value, one.path, steps, *((pattern_entry(one.pattern),) if one.pattern else ()))


def _step(step: Step) -> Item:
    match step:
        case SetVariable(name=name, value=value):
            return ("set", name, _value(value))
        case When(condition=condition, steps=steps):
            return ("when", _condition(condition), tuple(_step(one) for one in steps))
        case Answer(status=status, text=text, media_type=media_type):
            return ("answer", str(status), _value(text), media_type)
        case ChangePath():
            flags = (str(step.status), _flag(step.drops_query), _flag(step.ends))
            return ("path", pattern_entry(step.pattern), _value(step.target), *flags)
        case Stop():
            return ("stop",)
        case RequestHeader():
            return ("request", step.change.value, step.name, _value(step.value), _flag(step.only_if_sent))
        case AnswerHeader():
            statuses = tuple(map(str, step.statuses))
            return ("response", step.change.value, step.name, _value(step.value), statuses, step.types)
        case AddressRules(rules=rules):
            return ("access", tuple((_flag(one.allows), one.network) for one in rules))
        case Locate(locations=locations):
            return ("locate", tuple(map(_location, locations)))
        case _:
            assert_never(step)
