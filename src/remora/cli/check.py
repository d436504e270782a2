"""`remora check`: what Remora does with every annotation of Ingresses, before anything is deployed."""

from typing import Annotated

import typer

from remora.cli.options import Report, ReportOption


def check(
    paths: Annotated[list[str] | None, typer.Argument(metavar="FILE|DIR|-", help="Manifests; - is standard input.")] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Check the Ingresses of a cluster instead.")] = False,
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="With --cluster: as for kubectl.")] = "",
    context: Annotated[str, typer.Option("--context", help="With --cluster: which context of the kubeconfig.")] = "",
    filename: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="The same as FILE, as other commands take it.")
    ] = None,
    configmap: Annotated[
        str, typer.Option("--configmap", help="The controller's ConfigMap, NAMESPACE/NAME: its defaults count.")
    ] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Fail for what is unknown too.")] = False,
    output: ReportOption = Report.TEXT,
) -> None:
    """Say for every annotation whether Remora honours it; exit code 1 if something would not be served as written."""
    from remora.cli.manifests import read_paths
    from remora.cli.names import parse_name
    from remora.cli.render import say
    from remora.cli.render.check import show
    from remora.core.errors import UsageError
    from remora.core.settings import RoutingSettings
    from remora.report.check import check_manifests, check_snapshot

    paths = [*(paths or ()), *(filename or ())]
    if bool(paths) == cluster:
        raise UsageError("give FILE, DIR or - to check manifests, or --cluster to check what is deployed")
    settings = RoutingSettings(session_key=b"", configmap=parse_name(configmap, "--configmap") if configmap else None)
    if cluster:
        from remora.cli.fetch import fetch_cluster

        fetched = fetch_cluster(kubeconfig, context)
        for note in fetched.notes:
            say(f"note: {note}")
        report = check_snapshot(fetched.snapshot, settings)
    else:
        report = check_manifests(read_paths(paths), settings)
    refused = report.is_refused(strict=strict)
    show(report, output.value, refused=refused)
    if refused:
        raise typer.Exit(1)
