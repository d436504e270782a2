"""What `remora status` shows: a local cluster with its pods, Services and Ingresses."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence

from remora.cli.options import Output
from remora.cli.render import say
from remora.cli.render.look import Cell, Marked, Meaning, age_since, document, has_colour, state, table_lines
from remora.cli.status import PodLine, ServiceLine, Status

_LEAST = (6, 14, 5, 7, 8, 4, 8)
"""Of the pods' columns; their names are to be told apart."""
_HAS_ENDED = ("Succeeded", "Completed", "Terminated")
_BEGINS = ("ContainerCreating", "PodInitializing")
_GOES_WELL = ("Running", "Pending", "Terminating")


def show_status(found: Status, output: Output) -> None:
    """One cluster once."""
    if document(found, output):
        return
    if not found.running:
        say(_is_down(found))
        return
    is_cut = sys.stdout.isatty() and output is not Output.WIDE
    for line in status_lines(found, shutil.get_terminal_size().columns if is_cut else None, has_colour(), now=time.time()):
        print(line)


def status_lines(found: Status, width: int | None, colour: bool, *, now: float) -> Iterator[str]:
    """The lines; an empty one after each table."""
    if not found.running:
        yield _is_down(found)
        return
    yield f"profile     {found.profile} (pid {found.pid})"
    yield f"API server  {found.server}"
    yield f"entry       {found.entry or 'not yet'}"
    yield ""
    pods = [
        (pod.namespace, pod.name, pod.ready, _pod_state(pod), pod.restarts, age_since(pod.created, now), pod.ip)
        for pod in found.pods
    ]
    services = [(item.namespace, item.name, item.type, _where(item)) for item in found.services]
    ingresses = [(item.namespace, item.name, ",".join(item.hosts) or "*", item.address or "-") for item in found.ingresses]
    tables: tuple[tuple[Sequence[str], Sequence[Sequence[Cell]], Sequence[int]], ...] = (
        (("NAMESPACE", "POD", "READY", "STATUS", "RESTARTS", "AGE", "IP"), pods, _LEAST),
        (("NAMESPACE", "SERVICE", "TYPE", "URL"), services, ()),
        (("NAMESPACE", "INGRESS", "HOSTS", "ADDRESS"), ingresses, ()),
    )
    for headings, rows, least in tables:
        if rows:
            yield from table_lines(headings, rows, width=width, colour=colour, least=least)
            yield ""


def _is_down(found: Status) -> str:
    return f"Profile {found.profile} does not run; its state is in {found.directory}."


def _pod_state(pod: PodLine) -> Cell:
    """Whatever else kubectl would show there is the reason why a container does not run."""
    if pod.state in _HAS_ENDED:
        return Marked(pod.state, Meaning.FAINT)
    if pod.state in _BEGINS:
        return Marked(pod.state, Meaning.WARNING)
    return state(pod.state) if pod.state in _GOES_WELL else Marked(pod.state, Meaning.BAD)


def _where(item: ServiceLine) -> Cell:
    return Marked(item.problem, Meaning.BAD) if item.problem else " ".join(item.urls) or "-"
