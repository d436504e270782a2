"""The reference page of the command line, made from what the commands say of themselves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

from remora.cli.catalogue import EXAMPLES, SECTIONS

if TYPE_CHECKING:
    from typer._click import Command, Context, Parameter

_HEADER = """\
# Commands

What `remora COMMAND --help` says. (Made from the commands themselves; `make docs` makes it anew.) The exit code is 2 where
something else should have been typed, and 1 where the answer is bad news or the surroundings are broken. What is common to the
commands that show something stands in [The terminal](terminal.md).

"""
_FLAGS = "Its flags stand [on a page of their own](flags.md).\n"


def render_commands_page(root: TyperGroup) -> str:
    """The page, in Markdown. `root` is `remora` itself."""
    return _HEADER + "\n".join(_pieces(root)).rstrip("\n") + "\n"


def _pieces(root: TyperGroup) -> Iterator[str]:
    for heading, names in SECTIONS.items():
        yield f"## {heading}\n"
        for name in names:
            yield from _of_command(root.commands[name], name)


def _of_command(command: "Command", name: str) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            yield from _of_command(below, f"{name} {below.name}")
        return
    assert isinstance(command, TyperCommand)
    context = command.context_class(command, info_name=f"remora {name}")
    yield f"### remora {name}\n"
    yield f"{_paragraphs(command.help or '')}\n"
    if context.ignore_unknown_options:
        yield _FLAGS
    else:
        usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
        yield f"```text\n{usage}\n```\n"
    if rows := list(_rows(command.params, context)):
        yield "\n".join(["| | |", "| --- | --- |", *rows]) + "\n"
    if examples := EXAMPLES.get(name):
        yield "\n".join(["```sh", *examples, "```"]) + "\n"


def _paragraphs(text: str) -> str:
    """As the terminal shows it: lines of a paragraph are joined."""
    return "\n\n".join(_escaped(" ".join(part.split())) for part in text.replace("\b", "").split("\n\n"))


def _rows(params: "list[Parameter]", context: "Context") -> Iterator[str]:
    for param in params:
        if record := param.get_help_record(context):
            names, meaning = record
            # Tables know this escape also within code.
            shown = names.replace("|", "\\|")
            yield f"| `{shown}` | {_escaped(' '.join(meaning.split()))} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")
