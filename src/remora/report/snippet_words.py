"""The steps of snippets in words, for `remora explain`."""

from collections.abc import Iterator
from typing import assert_never

from remora.model.snippets import (
    AddressRules,
    Answer,
    AnswerHeader,
    ChangePath,
    Comparison,
    Condition,
    Locate,
    RequestHeader,
    SetVariable,
    Source,
    Step,
    Stop,
    Value,
    When,
)
from remora.snippets.read import Reading

_NAMED = (Source.HEADER, Source.ARGUMENT, Source.COOKIE, Source.AUTH_HEADER, Source.ANSWER_HEADER)


def directive_words(reading: Reading) -> str:
    """What becomes of each directive of a snippet."""
    return "; ".join(
        f"line {one.line}, {one.directive}: {one.kind.value}{f' ({one.reason})' * bool(one.reason)}" for one in reading.findings
    )


def step_words(step: Step) -> Iterator[str]:  # noqa: C901 - a case for each kind
    """Lines for a step; those of steps within it are indented."""
    match step:
        case SetVariable(name=name, value=value):
            yield f"<{name}> is {_value(value)}"
        case When(condition=condition, steps=steps):
            yield f"if {_condition(condition)}:"
            yield from _indented(steps)
        case Answer(status=status, text=text):
            yield f"answers {status} {_value(text)}".rstrip()
        case ChangePath(target=target, status=status):
            yield f"{'sends with ' + str(status) if status else 'changes the path'} to {_value(target)} if a pattern matches"
        case Stop():
            yield "no further steps"
        case RequestHeader(change=change, name=name, value=value):
            yield f"{change.value} {name} for pods {_value(value)}".rstrip()
        case AnswerHeader():
            only = f" of {step.statuses}" * bool(step.statuses) + f" of type {', '.join(step.types)}" * bool(step.types)
            yield f"{step.change.value} {step.name} on answers{only} {_value(step.value)}".rstrip()
        case AddressRules(rules=rules):
            yield ", ".join(f"{'allows' if one.allows else 'denies'} {one.network or 'all'}" for one in rules)
        case Locate(locations=locations):
            for one in locations:
                yield f"where the path is {one.kind.value} {one.path}:"
                yield from _indented(one.steps)
        case _:
            assert_never(step)


def _indented(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        yield from (f"  {line}" for line in step_words(step))


def _value(value: Value) -> str:
    return "".join(
        piece.name
        if piece.source is Source.TEXT
        else f"<{piece.source.value} {piece.name}>"
        if piece.source in _NAMED
        else f"<{piece.name or piece.source.value}>"
        for piece in value
    )


def _condition(one: Condition) -> str:
    how = {Comparison.EQUALS: "is", Comparison.MATCHES: "matches a pattern", Comparison.IS_SET: "is set"}[one.comparison]
    other = f" {_value(one.other) or 'empty'}" if one.comparison is Comparison.EQUALS else ""
    return f"{'not ' * one.is_negated}{_value(one.value)} {how}{other}"
