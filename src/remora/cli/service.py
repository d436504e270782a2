"""`remora service`: the address of a Service."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption, ProfileOption


def service(
    name: Annotated[str, typer.Argument(help="The Service's name.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    profile: ProfileOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the URL under which a Service of the local cluster can be reached, one line for each port."""
    from remora.cli import local, render
    from remora.cli.urls import fetch_urls

    _, api = local.running(profile)
    render.urls(fetch_urls(api, namespace, name), output)
