"""What the pages tell people to type are commands and options that there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.cli.catalogue import EXAMPLES
from remora.cli.controller_flags import FLAGS
from tests.unit.cli.test_help import COMMANDS, FLAG_COMMANDS

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
GROUPS = {name.partition(" ")[0] for name in EXAMPLES if " " in name}

_BLOCK = re.compile(r"^```(?:sh|text|)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"(?:^|[$|(]\s*|&& )remora ([a-z-]+(?![\w:,])[^|)#;\n]*)", re.MULTILINE)


def _codes(page: Path) -> Iterator[str]:
    text = page.read_text().replace("\\\n", "")
    yield from _BLOCK.findall(text)
    rest = _BLOCK.sub("", text)
    yield from _INDENTED.findall(rest)
    yield from _INLINE.findall(rest)


def _calls() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for code in _codes(page):
            for call in _CALL.findall(code):
                yield str(page.relative_to(ROOT)), call.strip()


CALLS = sorted(set(_calls()))


def _fault(call: str) -> str:
    words = call.split()
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    if name not in COMMANDS:
        return "" if name in GROUPS else f"there is no command {name}"
    own = words[: words.index("--")] if "--" in words else words
    asked = {word.partition("=")[0].strip("'\"") for word in own if re.match(r"--?[a-z]", word)}
    if name in FLAG_COMMANDS:
        known = {f"--{flag.name}" for flag in FLAGS} | {"--help"}
    else:
        known = {option for one in COMMANDS[name].params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    return ", ".join(sorted(f"{name} has no {option}" for option in asked - known))


def test_pages_name_many_commands() -> None:
    assert len({page for page, _ in CALLS}) > 10
    assert len(CALLS) > 100


@pytest.mark.parametrize("page", sorted({page for page, _ in CALLS}))
def test_a_command_on_a_page_exists_with_its_options(page: str) -> None:
    assert [f"remora {call}: {fault}" for where, call in CALLS if where == page and (fault := _fault(call))] == []
