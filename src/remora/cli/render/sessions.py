"""Live sessions for people and for programs."""

from collections.abc import Callable, Iterator, Sequence

from remora.cli.options import Output
from remora.cli.render import NOTE, say, table
from remora.cli.render.look import Cell, Marked, Meaning, document, painted, print_table, state, step_lines, table_lines
from remora.cli.render.watching import PAUSE, Sight, watch
from remora.cli.session_source import Told
from remora.haproxy.features.broken_sessions import Reason
from remora.observe.session_report import PodReport, ServiceReport, Whereabouts
from remora.report.cookies import CookieFacts

POD_COLUMNS = ("NAMESPACE", "SERVICE", "POD", "STATE", "SESSIONS", "IN USE", "SHARE")
BROKEN_COLUMNS = ("NAMESPACE", "SERVICE", *(f"BROKEN: {reason.value.upper()}" for reason in Reason))
HOW_TO_TRACK = 'remora.io/session-tracking: "true" on its Ingress, or session-tracking: "true" in the controller\'s ConfigMap'

_LEAST = (8, 8, 16, 6, 8, 6, 5)
"""Of the pods' columns; their names are to be told apart."""
_NOTHING = "No Service has sessions here: no Ingress that leads to one asks for session affinity."
_NOT_THESE = "No Service of that name and namespace has sessions; `remora sessions` shows all that have."


def show_sessions(told: Told, output: Output, *, everything: bool = True) -> None:
    """All Services once, or not `everything` but those that were asked for."""
    if document(told.report, output):
        return
    for line in notes(told):
        say(f"{NOTE}{line}")
    if not told.report.services:
        say(_NOTHING if everything else _NOT_THESE)
        return
    print_table(POD_COLUMNS, pod_rows(told.report.services), whole=output is Output.WIDE, least=_LEAST)
    table(BROKEN_COLUMNS, broken_rows(told.report.services), output)


def watch_sessions(fetch: Callable[[], Told], output: Output, *, everything: bool = True, pause: float = PAUSE) -> None:
    """The same again and again, until Ctrl-C."""

    def sight() -> Sight:
        told = fetch()
        return Sight(lambda width, colour: tuple(_lines(told, width, colour, everything)), told.report)

    watch(sight, output, pause=pause)


def show_whereabouts(cookie: CookieFacts, told: Told, output: Output) -> None:
    """Where one session is."""
    if document({"cookie": cookie, "seen": told.report.seen, "named": told.report.named}, output):
        return
    for note in told.notes:
        say(f"{NOTE}{note}")
    for line in step_lines(whereabouts_lines(cookie, told.report.seen, told.report.named)):
        print(line)


def whereabouts_lines(
    cookie: CookieFacts, seen: Sequence[Whereabouts], named: Sequence[Whereabouts]
) -> Iterator[tuple[str, str]]:
    """What can be said of a cookie, step by step."""
    if cookie.is_former:
        yield "cookie", "ingress-nginx issued it; `remora explain URL --cookie NAME=VALUE` tells where it leads"
        return
    if not cookie.server:
        yield "cookie", "it is none that Remora issues"
        return
    yield "cookie", f"session {cookie.digest}" if cookie.digest else "its session has no identifier, since it is not tracked"
    for one in named:
        yield "names", f"pod {one.pod} of Service {one.namespace}/{one.service} ({one.state})"
    if not named:
        yield "names", "a pod that is gone: the next request begins a new session"
    for one in seen:
        when = "a request of it is under way" if one.in_use else f"idle for {one.idle_seconds or 0:.0f} s"
        yield "seen", f"on pod {one.pod} of Service {one.namespace}/{one.service} ({one.state}): {when}"
    if cookie.digest and not seen:
        yield "seen", "on no pod within the time for which its session counts as live"


def pod_rows(services: Sequence[ServiceReport]) -> list[tuple[Cell, ...]]:
    """A line for every pod, with its share of the Service's sessions."""
    return [
        (one.namespace, one.service, pod.pod, state(pod.state), pod.sessions, pod.in_use, _share(pod, one))
        for one in services
        for pod in one.pods
    ]


def broken_rows(services: Sequence[ServiceReport]) -> list[tuple[Cell, ...]]:
    """A line for every Service of which sessions broke."""
    return [
        (one.namespace, one.service, *(_count(one.broken.get(reason.value, 0)) for reason in Reason))
        for one in services
        if any(one.broken.values())
    ]


def notes(told: Told) -> Iterator[str]:
    """What the person should know about the numbers."""
    yield from told.notes
    for one in told.report.services:
        name = f"{one.namespace}/{one.service}"
        if one.tracking == "none":
            yield f"the sessions of {name} are not tracked; to count them set {HOW_TO_TRACK}"
        elif one.tracking == "some":
            yield f"only some routes to {name} track their sessions; for the others set {HOW_TO_TRACK}"


def _lines(told: Told, width: int | None, colour: bool, everything: bool) -> Iterator[str]:
    services = told.report.services
    if not services:
        yield _NOTHING if everything else _NOT_THESE
    else:
        yield from table_lines(POD_COLUMNS, pod_rows(services), width=width, colour=colour, least=_LEAST)
    if broken := broken_rows(services):
        yield ""
        yield from table_lines(BROKEN_COLUMNS, broken, width=width, colour=colour)
    for note in notes(told):
        line = f"{NOTE}{note}"
        yield painted(line, Marked(line, Meaning.FAINT), colour=colour)


def _count(broken: int) -> Cell:
    return Marked(str(broken), Meaning.WARNING) if broken else 0


def _share(pod: PodReport, service: ServiceReport) -> str:
    return "-" if pod.sessions is None or not service.sessions else f"{100 * pod.sessions / service.sessions:.0f} %"
