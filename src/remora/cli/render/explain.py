"""Explanations and tables of routes, for people and for programs."""

from collections.abc import Iterator, Sequence

from remora.cli.options import Output
from remora.cli.render import json_document, say, table
from remora.report.explain import Explanation, RouteRow

_MOST_LOSERS = 20


def show(found: Explanation, output: Output) -> None:
    """One request's way."""
    if output is Output.JSON:
        json_document(found)
        return
    print("\n".join(lines(found)))
    print()
    columns = [("->" if pod.chosen else "", pod.name, pod.address, pod.state, pod.key or "-") for pod in found.pods]
    table(("", "POD", "ADDRESS", "STATE", "SESSION KEY"), columns)
    shown = found.losers[:_MOST_LOSERS]
    table(("NOT", "HOST", "INGRESS", "WHY NOT"), [(one.match or "-", one.host, one.ingress, one.why) for one in shown])
    if len(found.losers) > len(shown):
        say(f"and {len(found.losers) - len(shown)} others; --output json has all")


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
    for name, text in steps:
        if text:
            yield f"{name:<8} {text}"


def show_routes(rows: Sequence[RouteRow], output: Output) -> None:
    """The table of routes."""
    if output is Output.JSON:
        json_document(rows)
    elif not rows:
        say("There are no routes.")
    else:
        cells = [
            (row.host, row.match, row.ingress, row.target, "-" if row.pods is None else row.pods, row.session or "-")
            for row in rows
        ]
        table(("HOST", "PATH", "INGRESS", "TO", "PODS", "SESSION"), cells)
