"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


ProfileOption = Annotated[str, typer.Option("--profile", envvar="REMORA_PROFILE", help="Which local cluster.")]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for programs.")]
KubeconfigOption = Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")]
ContextOption = Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")]
