"""`remora tail`: the logs of many pods, as one stream."""

import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from remora.cli.options import ContextOption, KubeconfigOption
from remora.core.errors import UsageError

if TYPE_CHECKING:
    from remora.cli.tailing.follow import Beginning
    from remora.cli.tailing.look import Look

_USUAL_TAIL = 10
"""Lines of each container to begin with, as `kubectl logs -f -l` shows."""


class LineOutput(StrEnum):
    """How lines are printed."""

    TEXT = "text"
    JSON = "json"
    RAW = "raw"


class Colour(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def tail(
    pods: Annotated[str, typer.Argument(metavar="POD", help="A regular expression found in the pods' names.")] = "",
    selector: Annotated[str, typer.Option("--selector", "-l", help="Labels of the pods: app=web, 'tier in (a, b)'.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Their namespace; by default the kubeconfig's.")] = "",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Pods of all namespaces.")] = False,
    container: Annotated[
        str, typer.Option("--container", "-c", help="A regular expression found in the containers' names.")
    ] = "",
    init_containers: Annotated[bool, typer.Option("--init-containers", help="Init containers too.")] = False,
    since: Annotated[str, typer.Option("--since", help="Only what was printed in that time: 90s, 10m, 2h, 1d.")] = "",
    last: Annotated[
        int | None,
        typer.Option("--tail", min=-1, help="Lines of each log to begin with; -1 for all. [default: 10 if followed]"),
    ] = None,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="The log of the instance before the last restart; does not follow.")
    ] = False,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="Print what there is, and end.")] = False,
    grep: Annotated[
        list[str] | None, typer.Option("--grep", help="Only lines in which this is found; may be given several times.")
    ] = None,
    grep_v: Annotated[
        list[str] | None, typer.Option("--grep-v", help="Only lines in which this is not found; likewise.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="When each line was printed.")] = False,
    output: Annotated[
        LineOutput, typer.Option("--output", "-o", help="text: with the pod in front; json: an object a line; raw: as printed.")
    ] = LineOutput.TEXT,
    colour: Annotated[Colour, typer.Option("--color", help="Colour by pod; auto: on a terminal, if NO_COLOR is not set.")] = (
        Colour.AUTO
    ),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say which pods come, restart and go.")] = False,
    max_logs: Annotated[int, typer.Option("--max-logs", min=1, help="How many logs are followed at a time.")] = 300,
    kubeconfig: KubeconfigOption = "",
    context: ContextOption = "",
) -> None:
    """Follow the logs of many pods as one stream; pods that come later join."""
    if not pods and not selector:
        raise UsageError("say which pods: a part of their names, or -l with their labels; `remora tail .` means all")
    signal.signal(signal.SIGINT, _interrupted)  # at once, even while what we print is not read

    import asyncio

    from remora.cli.contexts import usual_namespace
    from remora.cli.render import say
    from remora.cli.tailing.choice import Choice, parse_pattern
    from remora.cli.tailing.run import Wish, write_to
    from remora.cli.tailing.run import tail as run_tail

    follow = not (no_follow or previous)
    wish = Wish(
        choice=Choice(parse_pattern(pods, "POD"), parse_pattern(container, "--container"), init_containers),
        look=_look(output, colour, timestamps=timestamps, namespaces=all_namespaces, only=grep or [], never=grep_v or []),
        namespace="" if all_namespaces else namespace or usual_namespace(kubeconfig, context),
        selector=selector,
        beginning=_beginning(since, last, follow=follow),
        limit=max_logs,
        previous=previous,
        kubeconfig=kubeconfig,
        context=context,
    )
    tell = (lambda _: None) if quiet and follow else say
    if not asyncio.run(run_tail(wish, follow=follow, write=write_to(sys.stdout.fileno()), say=tell)):
        say("no log was read; `remora tail . -A --no-follow --tail 1` shows what there is")
        raise typer.Exit(1)


def _look(
    output: LineOutput, colour: Colour, *, timestamps: bool, namespaces: bool, only: list[str], never: list[str]
) -> "Look":
    from remora.cli.render.look import has_colour
    from remora.cli.tailing.choice import parse_pattern
    from remora.cli.tailing.look import Look, TailOutput

    terminal = sys.stdout.isatty()
    return Look(
        output=TailOutput(output.value),
        colour=colour is Colour.ALWAYS or (colour is Colour.AUTO and has_colour()),
        terminal=terminal,
        timestamps=timestamps,
        namespaces=namespaces,
        only=tuple(parse_pattern(text, "--grep") for text in only),
        never=tuple(parse_pattern(text, "--grep-v") for text in never),
    )


def _beginning(since: str, last: int | None, *, follow: bool) -> "Beginning":
    from remora.cli.tailing.follow import Beginning
    from remora.cli.tailing.run import parse_since

    try:
        seconds = parse_since(since) if since else None
    except ValueError as error:
        raise UsageError(f"--since: found {since!r}, needed {error}") from error
    if last is None and follow and seconds is None:
        last = _USUAL_TAIL
    return Beginning(seconds, None if last == -1 else last)


def _interrupted(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
