"""`remora proxy`: HAProxy in a container of its own, beside that of the controller."""

import os
from typing import Annotated

import typer


def proxy(
    state_dir: Annotated[
        str,
        typer.Option("--state-dir", help="The controller's, shared with it; by default $REMORA_STATE_DIR or /var/lib/remora."),
    ] = "",
    haproxy: Annotated[
        str, typer.Option("--haproxy", help="HAProxy to run, 2.8 or newer; by default the packaged one, else the one on PATH.")
    ] = "",
    shutdown_grace_period: Annotated[
        float, typer.Option("--shutdown-grace-period", min=0, help="Seconds to serve on after SIGTERM.")
    ] = 0.0,
    stop_timeout: Annotated[
        float, typer.Option("--stop-timeout", min=0, help="Seconds that requests under way have then.")
    ] = 240.0,
) -> None:
    """Run HAProxy for a controller in another container of the pod, which has the flag --external-proxy.

    Either restarts alone: HAProxy goes on while there is no controller, and starts again without one.
    """
    from pathlib import Path

    from remora.controller.proxy import ProxyRunSettings, run_proxy
    from remora.controller.state import state_directory
    from remora.observe.logs import LogFormat, configure_logging

    configure_logging(LogFormat.TEXT, verbose=False)
    directory = Path(state_directory(state_dir, os.environ))
    run_proxy(ProxyRunSettings(directory, haproxy or None, shutdown_grace_period, stop_timeout))
