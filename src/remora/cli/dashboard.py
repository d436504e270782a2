"""`remora dashboard`: pages that show a cluster and its traffic, in a browser on this machine."""

from typing import Annotated

import typer

OWN_HOST = "127.0.0.1"
"""Where the dashboard listens for one person."""


def dashboard(
    tokens: Annotated[
        bool, typer.Option("--tokens", help="For many: each signs in with a token of their own, and only looks.")
    ] = False,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on with --tokens; other than this machine's own by TLS.")
    ] = OWN_HOST,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 chooses.")] = 0,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser, if there is one.")] = True,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything and change nothing.")] = False,
    controller: Annotated[str, typer.Option("--controller", help="URL of one controller's health port to ask.")] = "",
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")] = "",
    flags: Annotated[str, typer.Option("--flags", help="The controller's flags, where they matter to routing.")] = "",
) -> None:
    """Show hosts, pods, sessions and workloads in a browser, until Ctrl-C.

    Whoever opens it sees and does what the kubeconfig allows. It listens on this machine only, and the address that is printed
    lets one browser in.
    """
    from remora.cli.dashboard_run import Wish, run_dashboard
    from remora.core.errors import UsageError

    if host != OWN_HOST and not tokens:
        raise UsageError(f"--host {host} needs --tokens: without them the dashboard listens on this machine only")
    wish = Wish(port, browse, read_only, controller, kubeconfig, context, flags)
    if tokens:
        from remora.cli.dashboard_tokens import run_for_many

        run_for_many(wish, host)
    else:
        run_dashboard(wish)
