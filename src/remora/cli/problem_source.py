"""All Problems of a cluster or of files: from the controllers that run there, or translated here as a controller does."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from remora.cli.health_ports import Whom, health_ports
from remora.cli.observed import observe
from remora.cli.traffic_source import fetch_traffic
from remora.core.errors import ApiServerError, RemoraError
from remora.observe.traffic import problem_report
from remora.observe.traffic_report import ProblemReport
from remora.report.advice import advice


class ProblemRow(msgspec.Struct, frozen=True, order=True):
    """What is wrong with a field of an object, what it means, and what to do."""

    severity: str
    kind: str
    namespace: str
    name: str
    field: str
    code: str
    message: str
    consequence: str
    advice: str


class Found(msgspec.Struct, frozen=True):
    """The problems, errors first, and what the person should know beside them."""

    problems: tuple[ProblemRow, ...]
    notes: tuple[str, ...] = ()
    is_whole: bool = True
    """Whether everything that was named could be read."""

    def is_bad(self, *, strict: bool) -> bool:
        """Whether something cannot be read or is not served as written; with `strict`, whether there is anything at all."""
        return not self.is_whole or any(strict or one.severity == "error" for one in self.problems)


def find_problems(whom: Whom, files: Sequence[str], *, flags: str, namespace: str = "") -> Found:
    """The problems of a namespace, or of all.

    Raises:
        RemoraError: the files, the cluster or the controller cannot be read.
    """
    notes: tuple[str, ...] = ()
    if not (files or flags):
        try:
            return asyncio.run(_ask(whom, namespace))
        except ApiServerError:
            raise
        except RemoraError as error:
            if whom.controller or type(error) is not RemoraError:
                raise
            notes = (f"{error}; so this is what one would say that runs without flags",)
    observed = observe(files, kubeconfig=whom.kubeconfig, context=whom.context, flags=flags)
    problems = map(problem_report, observed.translation.problems)
    return Found(_rows(problems, namespace), (*notes, *observed.notes), observed.is_whole)


async def _ask(whom: Whom, namespace: str) -> Found:
    async with health_ports(whom) as ports:
        report, notes = await fetch_traffic(ports)
    return Found(_rows(report.problems, namespace), notes)


def _rows(problems: Iterable[ProblemReport], namespace: str) -> tuple[ProblemRow, ...]:
    rows = {
        ProblemRow(
            one.severity, one.kind, one.namespace, one.name, one.field, one.code, one.message, one.consequence, advice(one.code)
        )
        for one in problems
        if namespace in ("", one.namespace)
    }
    return tuple(sorted(rows))
