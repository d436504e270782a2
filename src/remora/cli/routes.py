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
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing them.")] = False,
    flags: Annotated[str, typer.Option("--flags", help="The controller's flags, where they matter to routing.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List the routes of a cluster or of manifests, in the order in which they are tried; exit code 1 if one cannot be read."""
    from remora.cli.observed import Observed, observe
    from remora.cli.render import say
    from remora.cli.render.explain import route_lines, show_routes
    from remora.cli.render.watching import Sight
    from remora.cli.render.watching import watch as go_on
    from remora.core.errors import UsageError
    from remora.report.explain import RouteRow, route_rows

    def read() -> tuple[tuple[RouteRow, ...], Observed]:
        observed = observe(filename or (), kubeconfig=kubeconfig, context=context, flags=flags)
        return tuple(route_rows(observed.translation.model, host)), observed

    def sight() -> Sight:
        rows, observed = read()
        notes = observed.notes
        return Sight(lambda width, colour: tuple(route_lines(rows, width, colour, host=host, output=output, notes=notes)), rows)

    if watch:
        if "-" in (filename or ()):
            raise UsageError("standard input can be read once: give files or a folder to --watch")
        go_on(sight, output, pause=2.0)
        return
    rows, observed = read()
    for note in observed.notes:
        say(f"note: {note}")
    show_routes(rows, output, host=host)
    if not observed.is_whole:
        raise typer.Exit(1)
