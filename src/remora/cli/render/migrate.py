"""The results of `remora migrate`: tables for people, JSON, Markdown for a review."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from remora.cli.render import data_document, table
from remora.migrate.rows import WORDS
from remora.report.findings import Verdict

if TYPE_CHECKING:
    from remora.migrate.compare import Comparison
    from remora.migrate.plan import IngressRow, Plan

_LONGEST = 100
_HEADINGS = {
    "flag": "FLAG",
    "helm": "HELM VALUE",
    "configmap": "CONFIGMAP KEY",
    "tcp": "TCP PORT",
    "udp": "UDP PORT",
}


def show_plan(plan: "Plan", output: str, diff: str) -> None:
    """Prints a plan, and the diff behind it if there is one."""
    match output:
        case "json" | "yaml":
            data_document(plan_document(plan, diff), output)
        case "markdown":
            print("\n".join(_plan_markdown(plan, diff)))
        case _:
            for headings, rows in _plan_tables(plan):
                table(headings, rows)
            for fault in plan.faults:
                print(f"{fault.place}: unreadable: {fault.message}")
            for note in plan.notes:
                print(f"note: {note}")
            print(plan_summary(plan))
            if diff:
                print(f"\n{diff}", end="")


def _plan_tables(plan: "Plan") -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    yield ("INGRESS", "VERDICT", "WHAT"), [row for one in plan.ingresses for row in _ingress_rows(one)]
    for kind, heading in _HEADINGS.items():
        found = [row for row in plan.rows if row.kind == kind]
        yield (
            (heading, "VALUE", "VERDICT", "NOTE"),
            [(row.name, _short(row.value, 40), WORDS[row.verdict], _short(row.note)) for row in found],
        )


def _ingress_rows(one: "IngressRow") -> Iterator[tuple[str, str, str]]:
    """One line, or one for each thing that is not simply honoured."""
    word = WORDS[one.verdict] + (", closes" if one.closes else "")
    said = [f"{finding.field}: {WORDS[finding.verdict]}: {finding.reason}" for finding in one.findings]
    said += [f"note: {note}" for note in one.notes]
    yield one.name, word, _short(said[0]) if said else ""
    for text in said[1:]:
        yield "", "", _short(text)


def plan_summary(plan: "Plan") -> str:
    """One line."""
    counts = [f"{count} {WORDS[verdict]}" for verdict, count in plan.counts().items() if count]
    refused = sum(1 for row in plan.rows if row.verdict is Verdict.REFUSED)
    rest = f"; {refused} of the controller's settings refused" if refused else ""
    return f"{len(plan.ingresses)} Ingresses: {', '.join(counts) or 'none'}{rest}"


def plan_document(plan: "Plan", diff: str) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "refused": plan.is_refused,
        "counts": {WORDS[verdict]: count for verdict, count in plan.counts().items()},
        "controller": {
            "workload": plan.old.workload,
            "namespace": plan.old.namespace,
            "service": str(plan.old.service or ""),
            "flags": list(plan.carried.flags),
        },
        "ingresses": [
            {
                "name": one.name,
                "place": one.place,
                "verdict": WORDS[one.verdict],
                "closes": one.closes,
                "findings": [
                    {
                        "field": each.field,
                        "value": each.value,
                        "verdict": WORDS[each.verdict],
                        "reason": each.reason,
                        "place": str(each.place),
                    }
                    for each in one.findings
                ],
                "notes": list(one.notes),
            }
            for one in plan.ingresses
        ],
        "settings": [
            {"kind": row.kind, "name": row.name, "value": row.value, "verdict": WORDS[row.verdict], "note": row.note}
            for row in plan.rows
        ],
        "unreadable": [{"place": str(one.place), "message": one.message} for one in plan.faults],
        "notes": list(plan.notes),
        "diff": diff,
    }


def _plan_markdown(plan: "Plan", diff: str) -> Iterator[str]:
    yield f"**remora migrate plan**: {plan_summary(plan)}"
    for headings, rows in _plan_tables(plan):
        if rows:
            yield ""
            yield from _markdown(headings, rows)
    yield ""
    yield from (f"- {one.place}: unreadable: {one.message}" for one in plan.faults)
    yield from (f"- {note}" for note in plan.notes)
    if diff:
        yield from ("", "```diff", diff.rstrip("\n"), "```")


def show_comparison(found: "Comparison", output: str) -> None:
    """Prints what a comparison found."""
    headings = ("REQUEST", "WHAT", "OLD", "NEW", "")
    rows = [
        (one.request, one.what, _short(one.old, 60), _short(one.new, 60), one.expected and f"expected: {one.expected}")
        for one in found.differences
    ]
    match output:
        case "json" | "yaml":
            data_document(found, output)
        case "markdown":
            print(f"**remora migrate compare**: {comparison_summary(found)}")
            if rows:
                print("\n" + "\n".join(_markdown(headings, rows)))
        case _:
            table(headings, rows)
            print(comparison_summary(found))


def comparison_summary(found: "Comparison") -> str:
    """One line."""
    expected = len(found.differences) - len(found.unexpected)
    parts = [f"{found.requests} requests and {found.sessions} sessions: {len(found.unexpected)} differences"]
    if expected:
        parts.append(f"{expected} expected ones")
    if found.unknown_pods:
        parts.append(f"of {found.unknown_pods} sessions nobody says which pod served them (--pod-by)")
    return "; ".join(parts)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(one.lower() for one in headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(_cell(one) for one in row)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _short(text: str, longest: int = _LONGEST) -> str:
    one = " ".join(text.split())
    return one if len(one) <= longest else f"{one[: longest - 1]}…"
