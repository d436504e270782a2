"""The findings of `remora check`: a line each, as compilers print them, or JSON, or a Markdown table for a review."""

from collections.abc import Iterator
from typing import Any

from remora.cli.render import data_document
from remora.cli.render.look import clean, has_colour
from remora.report.findings import Finding, Report, Verdict

_COLOURS = {Verdict.HONOURED: "32", Verdict.REFUSED: "31", Verdict.UNKNOWN: "33"}
_LONGEST_VALUE = 60


def show(report: Report, output: str, *, refused: bool) -> None:
    """Prints the report. `refused` is the verdict on the whole."""
    match output:
        case "json" | "yaml":
            data_document(document(report, refused=refused), output)
        case "markdown":
            print("\n".join(markdown_lines(report)))
        case _:
            print("\n".join(text_lines(report, colour=has_colour())))


def text_lines(report: Report, *, colour: bool = False) -> Iterator[str]:
    """`file:line: verdict: annotation "value": reason`, and a summary."""
    for fault in report.faults:
        yield f"{clean(str(fault.place))}: {_painted('unreadable', '31', colour)}: {clean(fault.message)}"
    for note in report.notes:
        yield clean(f"{_where(note)}: note: {note.message}")
    for finding in report.findings:
        verdict = _painted(_verdict(finding), _COLOURS.get(finding.verdict, "36"), colour)
        reason = f": {finding.reason}" if finding.reason else ""
        yield f"{clean(_where(finding))}: {verdict}: {clean(f'{finding.field}{_value(finding)}{reason}')}"
    if report.faults or report.notes or report.findings:
        yield ""
    yield summary(report)


def markdown_lines(report: Report) -> Iterator[str]:
    """The summary, and a table of everything that is not simply honoured."""
    yield f"**remora check**: {summary(report)}"
    rest = [one for one in report.findings if one.verdict is not Verdict.HONOURED or one.closes]
    if report.faults or rest:
        yield ""
        yield "| where | Ingress | annotation | verdict | why |"
        yield "| --- | --- | --- | --- | --- |"
    for fault in report.faults:
        yield _row(str(fault.place), "", "", "unreadable", fault.message)
    for one in rest:
        yield _row(str(one.place), str(one.object.name), f"`{one.field}`{_value(one)}", _verdict(one), one.reason)
    if report.notes:
        yield ""
    for note in report.notes:
        yield clean(f"- {_where(note)}: {note.message}")


def document(report: Report, *, refused: bool) -> dict[str, Any]:
    """The report for programs."""
    return {
        "refused": refused,
        "ingresses": report.ingresses,
        "counts": {verdict.value: count for verdict, count in report.counts().items()},
        "findings": [_finding(one) for one in report.findings],
        "notes": [{**_place(one), "message": one.message} for one in report.notes],
        "unreadable": [
            {"file": one.place.file, "line": one.place.line, "source": one.place.source, "message": one.message}
            for one in report.faults
        ],
    }


def summary(report: Report) -> str:
    """One line."""
    counts = [f"{count} {verdict.value}" for verdict, count in report.counts().items() if count]
    closing = len({(one.object, one.place.file) for one in report.findings if one.closes})
    parts = [f"{_counted(report.ingresses, 'Ingress', 'Ingresses')}: {', '.join(counts) or 'nothing to say'}"]
    if closing:
        parts.append(f"{_counted(closing, 'Ingress', 'Ingresses')} would have paths that are not served")
    if report.faults:
        parts.append(f"{_counted(len(report.faults), 'document', 'documents')} could not be read")
    return "; ".join(parts)


def _finding(one: Finding) -> dict[str, Any]:
    said = {"field": one.field, "value": one.value, "verdict": one.verdict.value, "reason": one.reason, "closes": one.closes}
    return {**_place(one), **said}


def _place(one: Any) -> dict[str, Any]:
    place = one.place
    name = one.object.name
    return {
        "file": place.file,
        "line": place.line,
        "source": place.source,
        "namespace": name.namespace,
        "ingress": name.name,
    }


def _where(one: Any) -> str:
    return f"{one.place}: {one.object}" if one.place.file else str(one.object)


def _verdict(finding: Finding) -> str:
    return finding.verdict.value + (", closes its routes" if finding.closes else "")


def _value(finding: Finding) -> str:
    text = " ".join(finding.value.split())
    shown = text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
    return f' "{shown}"' if finding.value else ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(clean(' '.join(cell.split())).replace('|', chr(92) + '|') for cell in cells)} |"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\033[{code}m{text}\033[0m" if colour else text
