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


class Report(StrEnum):
    """How a command prints a report that may become part of a document."""

    TEXT = "table"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"


def _parse_report(text: str) -> Report:
    # As it was called before; scripts say it.
    if text == "text":
        return Report.TEXT
    try:
        return Report(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(Report)}") from error


ProfileOption = Annotated[str, typer.Option("--profile", envvar="REMORA_PROFILE", help="Which local cluster.")]
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="table or wide (nothing is cut) for people, json or yaml for programs.")
]
ReportOption = Annotated[
    Report,
    typer.Option(
        "--output",
        "-o",
        parser=_parse_report,
        metavar=f"<{'|'.join(Report)}>",
        autocompletion=lambda: list(Report),
        help="table for people, json, yaml, markdown.",
    ),
]
KubeconfigOption = Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")]
ContextOption = Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")]
