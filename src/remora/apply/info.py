"""What HAProxy says of itself (`show info` and `show stat`, management guide section 9.3)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_NUMBER = re.compile(r"^([A-Za-z_]+): (\d+)$", re.MULTILINE)


def add_up(replies: Iterable[str]) -> dict[str, int]:
    """The numbers of all workers together, with how many they are in `workers` and the oldest one's age in `oldest`."""
    total: Counter[str] = Counter()
    for reply in replies:
        numbers = {name: int(value) for name, value in _NUMBER.findall(reply)}
        total.update(numbers)
        total["workers"] += 1
        total["oldest"] = max(total["oldest"], numbers.get("Uptime_sec", 0))
    return dict(total)


def has_requests(reply: str) -> bool:
    """Whether any line of a reply of `show stat` has requests or WebSockets under way."""
    return any(len(cells) == 6 and cells[4].isdigit() and cells[4] != "0" for cells in _cells(reply))


def _cells(reply: str) -> Iterator[list[str]]:
    return (line.split(",", 5) for line in reply.split("\n"))
