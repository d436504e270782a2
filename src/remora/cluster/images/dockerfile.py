"""The text of a Dockerfile to its instructions: comments, continuations, the escape directive, heredocs and flags. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

KNOWN = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.*?)\s*")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"""(?<!<)<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_]*)\2""")
_TAKES_HEREDOCS = ("RUN", "COPY", "ADD")


class DockerfileError(Exception):
    """Something that cannot be honoured; `line` is where, the text says what and what to do."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Heredoc(msgspec.Struct, frozen=True):
    """A document within an instruction; `is_literal`: its variables are left alone."""

    name: str
    text: str
    is_literal: bool = False


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction: `name` in capitals, `flags` as written, and what follows them with continuations joined."""

    line: int
    name: str
    text: str
    flags: Mapping[str, str] = {}
    heredocs: tuple[Heredoc, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.text}".strip()


def parse_dockerfile(text: str) -> tuple[Instruction, ...]:
    """All instructions in their order.

    Raises:
        DockerfileError: a line begins with no known instruction, or a heredoc has no end.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    escape, begin = _directives(lines)
    return tuple(_instructions(lines, begin, escape))


def _directives(lines: Sequence[str]) -> tuple[str, int]:
    """The escape character, and the first line behind the directives."""
    escape = "\\"
    for number, line in enumerate(lines):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in ("escape", "syntax", "check"):
            return escape, number
        if match[1].lower() == "escape":
            if match[2] not in ("\\", "`"):
                raise DockerfileError(number + 1, f"the escape character {match[2]!r} is neither \\ nor `")
            escape = match[2]
    return escape, len(lines)


def _instructions(lines: Sequence[str], number: int, escape: str) -> Iterator[Instruction]:
    while number < len(lines):
        if _is_blank(lines[number]):
            number += 1
            continue
        first = number
        joined, number = _joined(lines, number, escape)
        name, _, rest = joined.strip().partition(" ")
        name = name.upper()
        if name not in KNOWN:
            raise DockerfileError(first + 1, f"unknown instruction {name}: write one of {', '.join(sorted(KNOWN))}")
        flags, rest = _flags(rest.strip())
        heredocs, number = _heredocs(lines, number, rest, first) if name in _TAKES_HEREDOCS else ((), number)
        yield Instruction(line=first + 1, name=name, text=rest, flags=flags, heredocs=heredocs)


def _joined(lines: Sequence[str], number: int, escape: str) -> tuple[str, int]:
    """A line with its continuations; comments and empty lines within are left out, as Docker does."""
    ending = re.compile(re.escape(escape) + r"[ \t]*$")
    parts: list[str] = []
    while number < len(lines):
        line = lines[number].replace("\t", " ") if not parts else lines[number]
        number += 1
        if parts and _is_blank(line):
            continue
        if not ending.search(line):
            parts.append(line)
            break
        parts.append(ending.sub("", line))
    return "".join(parts), number


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _flags(text: str) -> tuple[dict[str, str], str]:
    flags: dict[str, str] = {}
    while match := _FLAG.match(text):
        # A flag may be repeated (`--mount`).
        flags[match[1]] = ";".join(filter(None, (flags.get(match[1]), match[2])))
        text = text[match.end() :]
    return flags, text.strip()


def _heredocs(lines: Sequence[str], number: int, text: str, first: int) -> tuple[tuple[Heredoc, ...], int]:
    found = []
    for match in _HEREDOC.finditer(text):
        body = []
        while True:
            if number >= len(lines):
                raise DockerfileError(
                    first + 1, f"the heredoc {match[3]} has no end: write {match[3]} alone on a line below it"
                )
            line = lines[number].lstrip("\t") if match[1] else lines[number]
            number += 1
            if line == match[3]:
                break
            body.append(line + "\n")
        found.append(Heredoc(match[3], "".join(body), is_literal=bool(match[2])))
    return tuple(found), number


def without_heredocs(text: str) -> str:
    """What an instruction says beside its heredocs."""
    return _HEREDOC.sub("", text).strip()
