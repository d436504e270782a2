"""What was found out about one thing: how bad it is, why, and what to do."""

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How bad it is. A problem keeps something from working; a warning will, or does so for somebody else."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """`check` is what was looked at, `what` the finding in a few words, `todo` what a person can do about it."""

    level: Level
    check: str
    what: str
    why: str = ""
    todo: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(Level.OK, check, what)


def warning(check: str, what: str, why: str, todo: str) -> Finding:
    return Finding(Level.WARNING, check, what, why, todo)


def problem(check: str, what: str, why: str, todo: str) -> Finding:
    return Finding(Level.PROBLEM, check, what, why, todo)
