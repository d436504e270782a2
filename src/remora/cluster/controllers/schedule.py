"""When a CronJob is due: the five fields of cron, as the parser reads them that Kubernetes uses (robfig/cron). Pure."""

from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import msgspec

_MONTHS = {
    name: n for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_WEEKDAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"h": 3600, "m": 60, "s": 1}
_HORIZON = timedelta(days=5 * 366)
"""A date that does not come within five years (30 February) never comes."""


class _Bounds(NamedTuple):
    name: str
    first: int
    last: int
    words: dict[str, int]


_FIELDS = (
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day of month", 1, 31, {}),
    _Bounds("month", 1, 12, _MONTHS),
    _Bounds("day of week", 0, 6, _WEEKDAYS),
)


class Schedule(msgspec.Struct, frozen=True):
    """Moments by their parts. `every` (seconds) is of `@every` and excludes the rest.

    If neither day field begins with a star, a day is meant by one of them, else by both.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    either_day: bool = False
    every: int = 0

    def next(self, after: datetime) -> datetime | None:
        """The first moment later than this one, None if there is none; in the time zone of `after`."""
        if self.every:
            return after.replace(microsecond=0) + timedelta(seconds=self.every)
        moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = after + _HORIZON
        while moment < end:
            if moment.month not in self.months or not self._is_day(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self.hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self.minutes:
                moment += timedelta(minutes=1)
            else:
                return moment
        return None

    def _is_day(self, moment: datetime) -> bool:
        by_date, by_weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


@cache
def parse_schedule(text: str) -> Schedule:
    """`spec.schedule`.

    Raises:
        ValueError: it is none; the message says where.
    """
    text = text.strip()
    if text.startswith("@every "):
        return Schedule(every=_seconds(text.removeprefix("@every ").strip()))
    if text.startswith("@") and text not in _SHORT:
        raise ValueError(f"unrecognized descriptor: {text}")
    fields = _SHORT.get(text, text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minutes, hours, days, months, weekdays = (_values(field, bounds) for field, bounds in zip(fields, _FIELDS, strict=True))
    either = not (fields[2].startswith(("*", "?")) or fields[4].startswith(("*", "?")))
    return Schedule(minutes, hours, days, months, weekdays, either)


def _values(field: str, bounds: _Bounds) -> frozenset[int]:
    return frozenset(value for part in field.split(",") for value in _range(part, bounds))


def _range(part: str, bounds: _Bounds) -> range:
    span, slash, step_text = part.partition("/")
    low, dash, high = span.partition("-")
    if low in ("*", "?"):
        first, last = bounds.first, bounds.last
    else:
        first = _number(low, bounds)
        last = _number(high, bounds) if dash else bounds.last if slash else first
    if slash and not (step_text.isdecimal() and int(step_text)):
        raise ValueError(f"step of range should be a positive number: {part}")
    if not bounds.first <= first <= last <= bounds.last:
        raise ValueError(f"{bounds.name} is not between {bounds.first} and {bounds.last}, or ends before it begins: {part}")
    return range(first, last + 1, int(step_text) if slash else 1)


def _number(text: str, bounds: _Bounds) -> int:
    found = bounds.words.get(text.lower())
    if found is None and not (text.isascii() and text.isdecimal()):
        raise ValueError(f"failed to parse int from {text}")
    return int(text) if found is None else found


def _seconds(text: str) -> int:
    """`1h30m` as seconds; at least one."""
    total, digits = 0, ""
    for letter in text:
        if letter.isdecimal() and letter.isascii():
            digits += letter
        elif letter in _UNITS and digits:
            total, digits = total + int(digits) * _UNITS[letter], ""
        else:
            raise ValueError(f"failed to parse duration @every {text}")
    if digits or not text:
        raise ValueError(f"failed to parse duration @every {text}")
    return max(1, total)
