"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How a command prints its result."""

    TEXT = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


ProfileOption = Annotated[str, typer.Option("--profile", envvar="REMORA_PROFILE", help="Which local cluster.")]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="table or wide (nothing is cut) for people, json or yaml for programs.")
]
KubeconfigOption = Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")]
ContextOption = Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")]
