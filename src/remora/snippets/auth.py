"""Snippets for the question of external authentication: the headers that it is sent."""

from collections.abc import Iterator

from remora.snippets.known import HOP_BY_HOP, NEEDLESS, SETTINGS, SKIPPED
from remora.snippets.parse import SnippetRefused, parse_directives

_SET = ("proxy_set_header", "more_set_input_headers")


def auth_headers(text: str) -> tuple[tuple[str, str], ...]:
    """Names and values, as nginx writes values with variables; an empty value sends none. Of several the last counts.

    Raises:
        SnippetRefused: something else is asked for, and that may keep somebody out.
    """
    return tuple(dict(_headers(text)).items())


def _headers(text: str) -> Iterator[tuple[str, str]]:
    for one in parse_directives(text):
        if one.name == "proxy_set_header" and len(one.arguments) == 2 and one.block is None:
            if one.arguments[0].lower() not in HOP_BY_HOP:
                yield one.arguments[0].lower(), one.arguments[1]
        elif one.name == "more_set_input_headers" and one.block is None and _are_lines(one.arguments):
            for line in one.arguments:
                name, _, value = line.partition(":")
                yield name.strip().lower(), value.strip()
        elif one.block is not None or not _changes_nothing(one.name):
            raise SnippetRefused(f"line {one.line}: {one.name}: it is not known here, and may keep somebody out")


def _are_lines(arguments: tuple[str, ...]) -> bool:
    return bool(arguments) and all(":" in line and not line.startswith("-") for line in arguments)


def _changes_nothing(name: str) -> bool:
    """Of these only the answer would be another, of which nothing but status and headers count."""
    return name in NEEDLESS or name in SKIPPED or name in SETTINGS or name == "auth_request_set"
