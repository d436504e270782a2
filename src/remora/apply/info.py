"""What HAProxy says of itself (`show info`, management guide section 9.3)."""

import re
from collections import Counter
from collections.abc import Iterable

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
