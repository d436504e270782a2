"""`remora sessions`: live sessions by Service and pod, and where one is."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption


def sessions(
    service: Annotated[str, typer.Argument(help="Only this Service.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only Services of this namespace.")] = "",
    cookie: Annotated[str, typer.Option("--cookie", help="Where the session of this cookie is: VALUE or NAME=VALUE.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it, every second.")] = False,
    controller: Annotated[str, typer.Option("--controller", help="URL of one controller's health port to ask.")] = "",
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the live sessions of every Service and pod, and how many broke for which reason."""
    import asyncio

    from remora.cli.render.sessions import show_sessions, show_whereabouts, watch_sessions
    from remora.cli.session_source import SessionSource, fetch_sessions
    from remora.observe.session_report import SessionQuestion
    from remora.report.cookies import read_cookie

    source = SessionSource(controller, kubeconfig, context)
    question = SessionQuestion(namespace=namespace, service=service)
    everything = not (namespace or service)
    if cookie:
        found = read_cookie(cookie)
        asked = SessionQuestion(namespace=namespace, service=service, session=found.digest, server=found.server)
        show_whereabouts(found, asyncio.run(fetch_sessions(source, asked)), output)
    elif watch:
        watch_sessions(lambda: asyncio.run(fetch_sessions(source, question)), output, everything=everything)
    else:
        show_sessions(asyncio.run(fetch_sessions(source, question)), output, everything=everything)
