"""`remora problems`: everything that is wrong in the objects of a cluster or of files."""

from typing import Annotated

import typer

from remora.cli.options import ContextOption, KubeconfigOption, Output, OutputOption


def problems(
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only objects of this namespace.")] = "",
    filename: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="Manifests to look at instead of a cluster: FILE, DIR or -.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing them.")] = False,
    controller: Annotated[str, typer.Option("--controller", help="URL of one controller's health port to ask.")] = "",
    kubeconfig: KubeconfigOption = "",
    context: ContextOption = "",
    flags: Annotated[str, typer.Option("--flags", help="Judge as a controller with these flags would, and ask none.")] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what is wrong, what that means and what to do; exit code 1 if something is not served as it is written."""
    from remora.cli.health_ports import Whom
    from remora.cli.problem_source import find_problems
    from remora.cli.render.problems import show_problems, watched_lines
    from remora.cli.render.watching import Sight
    from remora.cli.render.watching import watch as go_on
    from remora.core.errors import UsageError

    if controller and (filename or flags):
        raise UsageError("--controller asks a controller that runs: it goes neither with --filename nor with --flags")
    if watch and "-" in (filename or ()):
        raise UsageError("standard input can be read once: give files or a folder to --watch")
    whom = Whom(controller, kubeconfig, context)

    def sight() -> Sight:
        found = find_problems(whom, filename or (), flags=flags, namespace=namespace)
        return Sight(lambda width, colour: tuple(watched_lines(found, width, colour, output=output)), found.problems)

    if watch:
        go_on(sight, output, pause=2.0)
        return
    found = find_problems(whom, filename or (), flags=flags, namespace=namespace)
    show_problems(found, output)
    if found.is_bad(strict=strict):
        raise typer.Exit(1)
