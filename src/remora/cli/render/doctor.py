"""The findings of `remora doctor`: a table, and below it what to do."""

from collections.abc import Sequence

from remora.cli.options import Output
from remora.cli.render.look import Marked, Meaning, clean, document, paint, print_table
from remora.report.doctor.finding import Finding, Level

_MEANINGS = {Level.OK: Meaning.GOOD, Level.WARNING: Meaning.WARNING, Level.PROBLEM: Meaning.BAD}


def show_findings(findings: Sequence[Finding], output: Output) -> None:
    """Prints all findings; for people what to do stands below, by number."""
    if document({"problems": _count(findings, Level.PROBLEM), "findings": findings}, output):
        return
    rows = [(Marked(one.level.value, _MEANINGS[one.level]), one.check, one.what) for one in findings]
    print_table(("STATE", "CHECK", "FOUND"), rows, whole=output is Output.WIDE)
    for one in findings:
        if one.level is not Level.OK:
            print(f"{paint(one.level.value, _MEANINGS[one.level])}: {clean(one.what)}")
            for name, text in (("why", one.why), ("do", one.todo)):
                if text:
                    print(f"  {name + ':':<5}{clean(text)}")
    print(summary(findings))


def summary(findings: Sequence[Finding]) -> str:
    """One line."""
    problems, warnings = _count(findings, Level.PROBLEM), _count(findings, Level.WARNING)
    return f"{len(findings)} checked: {_counted(problems, 'problem')}, {_counted(warnings, 'warning')}"


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(one.level is level for one in findings)


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
