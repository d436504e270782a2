"""Explanations and tables of routes, for people and for programs."""

from collections.abc import Iterator, Sequence

from remora.cli.options import Output
from remora.cli.render import say, table
from remora.cli.render.look import Cell, Marked, Meaning, document, state, step_lines
from remora.report.explain import Explanation, RouteRow

_MOST_LOSERS = 20
_MEANINGS = {"problem": Meaning.BAD, "note": Meaning.FAINT}


def show(found: Explanation, output: Output) -> None:
    """One request's way."""
    if document(found, output):
        return
    print("\n".join(lines(found)))
    print()
    columns = [("->" if pod.chosen else "", pod.name, pod.address, state(pod.state), pod.key or "-") for pod in found.pods]
    table(("", "POD", "ADDRESS", "STATE", "SESSION KEY"), columns, output)
    shown = found.losers if output is Output.WIDE else found.losers[:_MOST_LOSERS]
    rows = [(one.match or "-", one.host, one.ingress, one.why) for one in shown]
    table(("NOT", "HOST", "INGRESS", "WHY NOT"), rows, output)
    if len(found.losers) > len(shown):
        say(f"and {len(found.losers) - len(shown)} others; --output wide has all")


def lines(found: Explanation) -> Iterator[str]:
    """The steps, one in a line."""
    route = found.route
    steps = [
        ("request", found.request),
        ("host", found.host),
        ("path", found.path),
        ("route", f"{route.match} of host {route.host}, from Ingress {route.ingress} ({route.id})" if route else ""),
        ("canary", found.canary),
        *(("policy", policy) for policy in found.policies),
        ("backend", found.backend),
        ("cookie", found.cookie),
        ("session", found.session),
        ("answer", found.answer),
        *(("problem", problem) for problem in found.problems),
        *(("note", note) for note in found.notes),
    ]
    yield from step_lines(((name, text) for name, text in steps if text), meanings=_MEANINGS)


def show_routes(rows: Sequence[RouteRow], output: Output) -> None:
    """The table of routes."""
    if document(rows, output):
        return
    if not rows:
        say("There are no routes.")
    is_wide = output is Output.WIDE
    cells = [
        (row.host, row.match, row.ingress, row.target, _pods(row), row.session or "-")
        + ((", ".join(row.policies) or "-", row.id) if is_wide else ())
        for row in rows
    ]
    headings = ("HOST", "PATH", "INGRESS", "TO", "PODS", "SESSION", *(("POLICIES", "ID") if is_wide else ()))
    table(headings, cells, output)


def _pods(row: RouteRow) -> Cell:
    """A route that leads to nobody is in trouble."""
    return Marked("0", Meaning.BAD) if row.pods == 0 else row.pods
