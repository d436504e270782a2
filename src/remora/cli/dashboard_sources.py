"""What the dashboard's pages of traffic are made of: controllers' reports, and explanations with what a viewer may read."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from remora.cli.fetch import fetch_with
from remora.cli.health_ports import HealthPorts
from remora.cli.observed import Observed, observe_fetched
from remora.cli.request import parse_request
from remora.cli.traffic_source import fetch_traffic
from remora.core.errors import RemoraError
from remora.dashboard.poller import Heard
from remora.dashboard.traffic import Explained, Question
from remora.dashboard.viewer import Viewer
from remora.report.explain import Request, explain
from remora.report.lifetimes import Judge


def asking(ports: HealthPorts) -> Callable[[], Awaitable[Heard]]:
    """What asks all controllers."""

    async def ask() -> Heard:
        return Heard(*await fetch_traffic(ports))

    return ask


class Explaining:
    """Explains by the controller's own stages, for one viewer at a time: a large cluster is much to read."""

    def __init__(self, flags: str) -> None:
        self._flags = flags
        self._turn = asyncio.Lock()

    async def __call__(self, viewer: Viewer, question: Question) -> Explained:
        """See Explainer."""
        if viewer.client is None:
            raise RemoraError("without a kubeconfig there is no API server that could be asked for the rules")
        request = parse_request(question.url, cookies=question.cookies, headers=question.headers, method=question.method)
        async with self._turn:
            fetched = await fetch_with(viewer.client)
            observed = await observe_fetched(fetched, self._flags)
        return await asyncio.to_thread(lambda: _explained(observed, request))


def _explained(observed: Observed, request: Request) -> Explained:
    judge = Judge(observed.lifetime_key, int(time.time())) if observed.has_key else None
    said = explain(observed.snapshot, observed.translation, request, has_key=observed.has_key, judge=judge)
    return Explained(said, observed.notes)
