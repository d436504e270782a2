"""`remora routes`: the table of routes that is in effect."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption


def routes(
    host: Annotated[str, typer.Argument(help="Only the routes of this host; '*' is any host.")] = "",
    filename: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="Manifests to look at instead of a cluster: FILE, DIR or -.")
    ] = None,
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")] = "",
    flags: Annotated[str, typer.Option("--flags", help="The controller's flags, where they matter to routing.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List the routes of a cluster or of manifests, in the order in which they are tried."""
    from remora.cli.observed import observe
    from remora.cli.render import say
    from remora.cli.render.explain import show_routes
    from remora.report.explain import route_rows

    observed = observe(filename or (), kubeconfig=kubeconfig, context=context, flags=flags)
    for note in observed.notes:
        say(f"note: {note}")
    show_routes(tuple(route_rows(observed.translation.model, host)), output)
