"""A log line for each Problem when it appears."""

import logging
from collections.abc import Iterable

from remora.core.differing import differing
from remora.core.problem import Problem, Severity

MOST = 50
"""Problems named at once; a cluster full of them is for the metrics."""

_LEVELS = {Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}

_log = logging.getLogger(__name__)


class ProblemLog:
    """Remembers what it has said, so that a Problem is a line once, and again when it comes back."""

    def __init__(self) -> None:
        self._said: tuple[Problem, ...] = ()

    def tell(self, problems: Iterable[Problem]) -> None:
        """Takes all Problems that there are now."""
        present = tuple(problems)
        gone, come = differing(self._said, present)
        known = {*gone}
        new = [problem for problem in dict.fromkeys(come) if problem not in known]
        for problem in new[:MOST]:
            _log.log(_LEVELS[problem.severity], "%s", problem)
        if len(new) > MOST:
            _log.warning("and %d more problems; see the metric remora_problems", len(new) - MOST)
        self._said = present
