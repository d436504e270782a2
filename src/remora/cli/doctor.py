"""`remora doctor`: what is wrong with a set-up, and what to do."""

from typing import Annotated

import typer

from remora.cli.options import ContextOption, KubeconfigOption, Output, OutputOption


def doctor(
    cluster: Annotated[bool, typer.Option("--cluster/--no-cluster", help="Look at the kubeconfig's cluster, too.")] = True,
    haproxy: Annotated[str, typer.Option("--haproxy", help="HAProxy to look at, as for the controller.")] = "",
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds for each check.")] = 10.0,
    kubeconfig: KubeconfigOption = "",
    context: ContextOption = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Find what is wrong with this machine, its local clusters and a cluster, and say what to do; exit code 1 for problems."""
    import asyncio

    from remora.cli.doctoring.examine import Patient, examine
    from remora.cli.render.doctor import show_findings
    from remora.report.doctor.finding import Level

    patient = Patient(kubeconfig=kubeconfig, context=context, haproxy=haproxy, cluster=cluster, timeout=timeout)
    findings = asyncio.run(examine(patient))
    show_findings(findings, output)
    if any(one.level is Level.PROBLEM for one in findings):
        raise typer.Exit(1)
