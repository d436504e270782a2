"""`remora explain`: where a request goes, and why."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption


def explain(
    url: Annotated[str, typer.Argument(help="http://host/path or https://host/path")],
    cookie: Annotated[list[str] | None, typer.Option("--cookie", help="NAME=VALUE")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value'")] = None,
    method: Annotated[str, typer.Option("--method", "-X")] = "GET",
    filename: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="Manifests to look at instead of a cluster: FILE, DIR or -.")
    ] = None,
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")] = "",
    flags: Annotated[str, typer.Option("--flags", help="The controller's flags, where they matter to routing.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Say which rule, Ingress, backend and pod a request goes to, and why the others do not get it."""
    import time

    from remora.cli.observed import observe
    from remora.cli.render import say
    from remora.cli.render.explain import show
    from remora.cli.request import parse_request
    from remora.report.explain import explain as explain_request
    from remora.report.lifetimes import Judge

    request = parse_request(url, cookies=cookie or (), headers=header or (), method=method)
    observed = observe(filename or (), kubeconfig=kubeconfig, context=context, flags=flags)
    for note in observed.notes:
        say(f"note: {note}")
    judge = Judge(observed.lifetime_key, int(time.time())) if observed.has_key else None
    show(explain_request(observed.snapshot, observed.translation, request, has_key=observed.has_key, judge=judge), output)
