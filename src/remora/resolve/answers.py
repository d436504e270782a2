"""What becomes of a name's addresses with each answer or failure, and when to ask again. Pure.

| DNS says                  | what is served                          | the next question    |
| ------------------------- | --------------------------------------- | -------------------- |
| addresses                 | these                                   | after their lifetime |
| there is no such name     | the last ones for 30 s, then none       | after 5 s            |
| nothing, or that it fails | the last ones for ten minutes, then none | after 1 s, then 2, 4, … to 30 s |
"""

import msgspec

SHORTEST = 1.0
LONGEST = 30.0
"""Seconds between two questions, whatever lifetime an answer claims."""
AFTER_ABSENCE = 5.0
KEPT_WHEN_ABSENT = 30.0
KEPT_WHEN_SILENT = 600.0


class Addresses(msgspec.Struct, frozen=True):
    """A name has these, for so many seconds."""

    addresses: tuple[str, ...]
    lifetime: float


class Absent(msgspec.Struct, frozen=True):
    """DNS knows that the name has no address."""

    why: str


class Silent(msgspec.Struct, frozen=True):
    """DNS did not answer, or failed."""

    why: str


Reply = Addresses | Absent | Silent


class Known(msgspec.Struct, frozen=True):
    """What is known of a name: the addresses that are served, when they were last heard, and failures in a row since."""

    addresses: tuple[str, ...] = ()
    heard_at: float = 0.0
    failures: int = 0
    why: str = ""


def learned(known: Known, reply: Reply, now: float) -> Known:
    """What is known after a reply."""
    match reply:
        case Addresses(addresses=addresses):
            return Known(tuple(sorted(addresses)), now)
        case Absent(why=why) | Silent(why=why):
            kept = KEPT_WHEN_ABSENT if isinstance(reply, Absent) else KEPT_WHEN_SILENT
            addresses = known.addresses if now < known.heard_at + kept else ()
            return Known(addresses, known.heard_at, known.failures + 1, why)


def pause(known: Known, reply: Reply) -> float:
    """Seconds until the next question."""
    match reply:
        case Addresses(lifetime=lifetime):
            return min(max(lifetime, SHORTEST), LONGEST)
        case Absent():
            return AFTER_ABSENCE
        case Silent():
            return min(SHORTEST * 2.0 ** min(known.failures - 1, 10), LONGEST)
