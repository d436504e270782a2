"""`remora drain-wait`: returns when a pod's sessions are gone."""

from typing import Annotated

import typer

from remora.cli.options import Output, OutputOption

TIME_IS_UP = 3
"""Exit code when there are sessions left."""


def drain_wait(
    pod: Annotated[str, typer.Argument(envvar="POD_NAME", help="The pod.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", envvar="POD_NAMESPACE", help="Its namespace; by default the kubeconfig's.")
    ] = "",
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait at most: 90s, 5m, 8h.")] = "5m",
    interval: Annotated[str, typer.Option("--interval", help="How often to look.")] = "1s",
    drain: Annotated[bool, typer.Option("--drain", help="Annotate the pod first, so that it gets no new sessions.")] = False,
    controller: Annotated[
        str, typer.Option("--controller", envvar="REMORA_CONTROLLER", help="URL of one controller's health port to ask.")
    ] = "",
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="As for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="Which context of the kubeconfig.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Wait until a pod's live sessions are gone: exit code 0, or 3 when the time is up. Can be a preStop hook."""
    import asyncio

    from remora.cli.drain import Wait, wait_drained
    from remora.cli.health_ports import Whom
    from remora.cli.render import say
    from remora.cli.render.look import document
    from remora.observe.drain import describe

    wait = Wait(pod, namespace, _seconds("--timeout", timeout), max(0.1, _seconds("--interval", interval)), drain)
    state = asyncio.run(wait_drained(Whom(controller, kubeconfig, context), wait, tell=say))
    if not document(state, output):
        print(describe(state))
    if not state.is_over:
        say(f"the time is up after {timeout}; a longer one is given by --timeout")
        raise typer.Exit(TIME_IS_UP)


def _seconds(option: str, text: str) -> float:
    from remora.annotations.values import ValueRefused, duration
    from remora.core.errors import UsageError

    try:
        return float(duration(text))
    except ValueRefused as refusal:
        raise UsageError(f"{option}: {refusal}") from refusal
