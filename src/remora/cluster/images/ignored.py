"""`.dockerignore`: which files of a build's folder are left out. Also patterns of COPY sources. Pure.

A pattern is matched against the whole path below the folder: `*` and `?` stay within a name, `**` crosses any number of
folders, and `!` takes back what an earlier line left out. The last line that matches decides.
"""

import re
from collections.abc import Iterable

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """One line: a regular expression for the path and all that is below it, and whether it brings files back."""

    pattern: str
    is_back: bool


def parse_ignored(text: str) -> tuple[Rule, ...]:
    """The rules of a `.dockerignore`."""
    rules = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        is_back = line.startswith("!")
        wanted = line.removeprefix("!").strip().strip("/").removeprefix("./")
        if wanted and wanted != ".":
            rules.append(Rule(pattern(wanted) + r"(?:/.*)?", is_back))
    return tuple(rules)


def is_ignored(path: str, rules: Iterable[Rule]) -> bool:
    """Whether a file (its path with slashes, below the folder) is left out."""
    ignored = False
    for rule in rules:
        if ignored is rule.is_back and re.fullmatch(rule.pattern, path, re.DOTALL):
            ignored = not rule.is_back
    return ignored


def pattern(text: str) -> str:
    """A file pattern as a regular expression."""
    result, position = "", 0
    while position < len(text):
        rest = text[position:]
        if rest.startswith("**/"):
            result, position = result + r"(?:[^/]+/)*", position + 3
        elif rest.startswith("**"):
            result, position = result + r".*", position + 2
        elif rest[0] == "*":
            result, position = result + r"[^/]*", position + 1
        elif rest[0] == "?":
            result, position = result + r"[^/]", position + 1
        elif match := re.match(r"\[(\^?)([^\]]+)\]", rest):
            inside = match[2].replace("\\", "\\\\")
            result, position = result + f"[{match[1]}{inside}]", position + match.end()
        elif rest[0] == "\\" and len(rest) > 1:
            result, position = result + re.escape(rest[1]), position + 2
        else:
            result, position = result + re.escape(rest[0]), position + 1
    return result


def has_pattern(text: str) -> bool:
    """Whether it means more than one name."""
    return any(character in text for character in "*?[")
