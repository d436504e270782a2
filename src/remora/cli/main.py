"""The `remora` command: its subcommands, and how errors reach the person.

A command parses arguments, calls one function and hands the result to `render`. Everything heavy is imported inside the
commands, so that `remora --help` answers at once.
"""

import errno
import os
import sys
from typing import Annotated

import typer

from remora.cli import (
    check,
    clusters,
    completion,
    controller,
    dashboard,
    doctor,
    drain_wait,
    explain,
    image,
    migrate,
    problems,
    proxy,
    routes,
    service,
    sessions,
    tail,
    top,
    up,
    webhook,
)
from remora.cli.catalogue import Sections, add_examples
from remora.core.errors import RemoraError, UsageError

COMPLETE_VARIABLE = "_REMORA_COMPLETE"
"""Set by a shell that asks what a word may become."""

app = typer.Typer(
    name="remora",
    cls=Sections,
    help="An Ingress controller that keeps every client on its pod, and a local cluster to run it on.",
    no_args_is_help=True,
    # Rich help and tracebacks cost 80 ms of imports at every start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command()(up.up)
app.command()(clusters.status)
app.command()(clusters.down)
app.command()(clusters.delete)
app.command()(clusters.profiles)
app.command()(clusters.kubeconfig)
app.command()(service.service)
app.add_typer(image.app, name="image")
app.command()(up.demo)
app.command()(check.check)
app.command()(explain.explain)
app.add_typer(migrate.app, name="migrate")
app.command()(routes.routes)
app.command()(sessions.sessions)
app.command()(dashboard.dashboard)
app.command()(tail.tail)
app.command()(doctor.doctor)
app.command()(top.top)
app.command()(problems.problems)
app.command()(completion.completion)
app.command()(drain_wait.drain_wait)
app.command(context_settings=controller.CONTEXT_SETTINGS)(controller.controller)
app.command(name="proxy")(proxy.proxy)
app.command(context_settings=controller.CONTEXT_SETTINGS)(webhook.webhook)
add_examples(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"remora {version('remora')}")
        raise typer.Exit


@app.callback()
def remora(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """An Ingress controller that keeps every client on its pod, and a local cluster to run it on."""


def main() -> None:
    """Runs the command; exit code 2 for what the person can correct by typing something else, 1 for broken surroundings."""
    _open_missing_streams()
    try:
        if COMPLETE_VARIABLE in os.environ:
            from remora.cli.completing import complete

            complete(app)
        app()
    except RemoraError as error:
        from remora.cli.hints import hint_for

        print(f"remora: {error}", file=sys.stderr)
        if hint := hint_for(error):
            print(f"to do: {hint}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except ModuleNotFoundError as error:
        from remora.cli.hints import missing_extra

        if not (needed := missing_extra(error.name or "", sys.argv[1:])):
            raise
        print(f"remora: {needed}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has had enough (`remora … | head`).
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"remora: {error.filename or 'the output'}: {error.strerror}; make room and try again", file=sys.stderr)
        # What is left in the buffer cannot be written either.
        sys.stderr.flush()
        os._exit(1)


def _open_missing_streams() -> None:
    """Output that whoever started us has closed (`>&-`) goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123  # for as long as we run
