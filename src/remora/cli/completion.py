"""`remora completion`: the script by which a shell completes our commands."""

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shells that can."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print the script that completes commands, options, contexts, namespaces and names of objects."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # re-exported

    from remora.cli.main import COMPLETE_VARIABLE

    print(get_completion_script(prog_name="remora", complete_var=COMPLETE_VARIABLE, shell=shell.value))
