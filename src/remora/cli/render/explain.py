"""Explanations and tables of routes, for people and for programs."""

from collections.abc import Iterator, Sequence

from remora.cli.options import Output
from remora.cli.render import NOTE, say, table
from remora.cli.render.look import Cell, Marked, Meaning, clean, document, state, step_lines, table_lines
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


def show_routes(rows: Sequence[RouteRow], output: Output, *, host: str = "") -> None:
    """The table of routes, of one host if there is one."""
    if document(rows, output):
        return
    if rows:
        table(*_routes(rows, output), output)
    else:
        say(_no_routes(host))


def route_lines(
    rows: Sequence[RouteRow], width: int | None, colour: bool, *, host: str, output: Output, notes: Sequence[str]
) -> Iterator[str]:
    """The same for watching, with what is to be said of it."""
    if rows:
        headings, cells = _routes(rows, output)
        yield from table_lines(headings, cells, width=width, colour=colour)
    else:
        yield _no_routes(host)
    yield from (f"{NOTE}{clean(note)}" for note in notes)


def _no_routes(host: str) -> str:
    return (
        f"There are no routes of host {clean(host)}; `remora routes` lists those of all hosts."
        if host
        else "There are no routes."
    )


def _routes(rows: Sequence[RouteRow], output: Output) -> tuple[Sequence[str], Sequence[Sequence[Cell]]]:
    is_wide = output is Output.WIDE
    cells = [
        (row.host, row.match, row.ingress, row.target, _pods(row), row.session or "-")
        + ((", ".join(row.policies) or "-", row.id) if is_wide else ())
        for row in rows
    ]
    return ("HOST", "PATH", "INGRESS", "TO", "PODS", "SESSION", *(("POLICIES", "ID") if is_wide else ())), cells


def _pods(row: RouteRow) -> Cell:
    """A route that leads to nobody is in trouble."""
    return Marked("0", Meaning.BAD) if row.pods == 0 else row.pods
