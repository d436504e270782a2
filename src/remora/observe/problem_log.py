"""A log line for each Problem when it appears."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

from remora.core.problem import Problem, Severity
from remora.core.problems import Problems, problems_of

MOST, WITHIN = 50, 10.0
"""Problems of a namespace that are named in so many seconds; a crowd, or one that comes and goes, is for the metrics."""

_LEVELS = {Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}

_log = logging.getLogger(__name__)


class ProblemLog:
    """Remembers what it has said, so that a Problem is a line once, and again when it comes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = Problems()
        self._began = clock()
        self._named: Counter[str] = Counter()
        self._unnamed = 0

    def tell(self, problems: Sequence[Problem]) -> None:
        """Takes all Problems that there are now."""
        present = problems_of(problems)
        gone, come = present.since(self._said)
        known = {*gone}
        new = [problem for problem in dict.fromkeys(come) if problem not in known]
        self._said = present
        self._look_at_clock()
        left = 0
        for problem in new:
            namespace = problem.object.name.namespace
            self._named[namespace] += 1
            if self._named[namespace] <= MOST:
                _log.log(_LEVELS[problem.severity], "%s", problem)
            else:
                left += 1
        if left and not self._unnamed:
            _log.warning("and %d more problems; see the metric remora_problems", left)
        self._unnamed += left

    def _look_at_clock(self) -> None:
        """Begins to count anew, if it is time."""
        now = self._clock()
        if now - self._began < WITHIN:
            return
        if self._unnamed:
            _log.warning("%d problems were not named, in %.0f seconds", self._unnamed, now - self._began)
        self._began, self._named, self._unnamed = now, Counter(), 0
