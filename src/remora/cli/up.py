"""`remora up` and `remora demo`."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from remora.cli.options import ProfileOption


class AuthorizationMode(StrEnum):
    """What a client certificate is worth; service accounts get what their bindings give in every mode."""

    ALWAYS_ALLOW = "AlwaysAllow"
    RBAC = "RBAC"


def up(
    profile: ProfileOption = "default",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it runs; it goes on in the background.")] = False,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for HTTP; 0 chooses.")] = 0,
    https_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for HTTPS; 0 chooses.")] = 0,
    api_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API server; 0 chooses.")] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the Ingress controller is ready.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait at most.")] = 60.0,
    authorization_mode: Annotated[
        AuthorizationMode,
        typer.Option(help="AlwaysAllow: whoever has a client certificate may do all. RBAC: only group system:masters."),
    ] = AuthorizationMode.ALWAYS_ALLOW,
    dns_forward: Annotated[
        bool, typer.Option("--dns-forward/--no-dns-forward", help="Ask this machine's DNS for names outside of the cluster.")
    ] = True,
) -> None:
    """Start a local cluster, in the foreground until Ctrl-C."""
    from remora.cluster.start import Ports

    ports = Ports(api=api_port, http=http_port, https=https_port)
    mode: Literal["AlwaysAllow", "RBAC"] = authorization_mode.value
    if detach:
        from remora.cli.detached import up_detached

        up_detached(profile, ports, wait=wait, timeout=timeout, authorization_mode=mode, forwards_dns=dns_forward)
    else:
        from remora.cli.foreground import up_foreground

        up_foreground(profile, ports, wait=wait, timeout=timeout, authorization_mode=mode, forwards_dns=dns_forward)


def demo() -> None:
    """Show on a cluster of its own what session affinity does, checking every statement; nothing is left behind."""
    from remora.cli.demo import run_demo

    if not run_demo():
        raise typer.Exit(1)
