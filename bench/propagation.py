"""How long a change takes from the API server to traffic, with 100, 3,000 and 10,000 routes, idle and while other Ingresses
change ten times a second.

    python bench/propagation.py [--counts 100 3000 10000] [--changes 50]

Each change is timed from the moment at which it is sent to the API server, and from that at which a watch of our own, on the
same kind, tells of it; both until a request through HAProxy is answered as it should be from then on. Requests go on without a
pause, so what is found late is what was late. Wall time depends on what else the machine does.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import fleet
from bench.api_load import Api, Connection, percentile
from bench.control import HOST, Control, answering_pod, controller, filled_api, post, put
from bench.measuring import machine, say
from bench.scale import INGRESSES, SLICES, settled

CHURN = 0.1
"""Seconds between two changes of strangers."""
SHARES = (0.5, 0.99)

Figures = dict[str, float]


class Watcher:
    """When the API server told of what, by the object's name and its resourceVersion or deletion."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    async def run(self, api: Api, path: str, since: str) -> None:
        connection = await api.connect()
        async for line in connection.stream(f"{path}?watch=true&resourceVersion={since}"):
            now = time.perf_counter()
            name = line.partition(b'"name":"')[2].partition(b'"')[0].decode()
            # The first event is the change; what follows may be the status that the controller writes.
            self.told.setdefault(name, now)


class Trial:
    """Changes one thing after another, and times each."""

    def __init__(self, control: Control, watcher: Watcher) -> None:
        self._control = control
        self._watcher = watcher
        self.from_sending: list[float] = []
        self.from_event: list[float] = []
        self.wrong = 0

    async def time(self, name: str, change: Callable[[], Awaitable[None]], host: str, *, status: int) -> None:
        """One change of the object of that name, after which the host is to be answered with the status."""
        self._watcher.told.pop(name, None)
        waiting = asyncio.create_task(self._control.until(host, lambda found: found == status))
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await change()
        self.wrong += await waiting
        done = time.perf_counter()
        while name not in self._watcher.told:
            await asyncio.sleep(0.001)
        self.from_sending.append(done - began)
        self.from_event.append(done - self._watcher.told[name])

    def note(self, figures: Figures, what: str) -> None:
        for since, found in (("sending", self.from_sending), ("the watch event", self.from_event)):
            for share in SHARES:
                value = percentile(found, share) * 1e3
                figures[f"{what}, p{share * 100:.0f} from {since}"] = value
                say(f"{value:10.1f} ms   {what}, p{share * 100:.0f} from {since}")


@asynccontextmanager
async def churning(api: Api, count: int) -> AsyncIterator[None]:
    """Meanwhile an Ingress of a stranger changes again and again."""
    connection = await api.connect()

    async def churn() -> None:
        for number in range(1 << 30):
            stranger = 1 + number % (count - 1)
            await put(connection, INGRESSES, fleet.ingress(stranger, host=f"churn-{number}.example.com"))
            await asyncio.sleep(CHURN)

    task = asyncio.create_task(churn())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.close()


async def measure(directory: Path, counts: list[int], changes: int) -> Figures:
    figures: Figures = {}
    async with answering_pod(directory / "pod") as pod:
        for count in counts:
            async with filled_api(directory / str(count), count, pod=pod) as api:
                with controller(directory / str(count)) as control:
                    await control.serving(fleet.host_of(0))
                    await _measure_at(control, api, count, changes, figures, pod=pod)
    return figures


async def _measure_at(control: Control, api: Api, count: int, changes: int, figures: Figures, *, pod: int) -> None:
    connection = await api.connect()
    await settled(api, count)
    await _measure_all(control, api, connection, f"{count} routes, idle", changes, figures, pod=pod)
    async with churning(api, count):
        await _measure_all(control, api, connection, f"{count} routes, churn", changes, figures, pod=pod)
    figures[f"{count} routes, reloads in all, the start among them"] = await control.metric("remora_reloads_total")
    connection.close()


async def _measure_all(
    control: Control, api: Api, connection: Connection, where: str, changes: int, figures: Figures, *, pod: int
) -> None:
    for what, path in (("an Ingress more", INGRESSES), ("a pod ready", SLICES)):
        body = json.loads(await connection.ask("GET", f"{path}?limit=1"))
        watcher = Watcher()
        watching = asyncio.create_task(watcher.run(api, path, body["metadata"]["resourceVersion"]))
        trial, other = Trial(control, watcher), Trial(control, watcher)
        for number in range(changes):
            if path == INGRESSES:
                await _route(trial, connection, number)
            else:
                await _pod(trial, other, connection, pod)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        trial.note(figures, f"{where}, {what}")
        if other.from_event:
            other.note(figures, f"{where}, the last pod gone")


async def _route(trial: Trial, connection: Connection, number: int) -> None:
    obj = fleet.ingress(1_000_000 + number, service="app-0")
    name = obj["metadata"]["name"]
    await trial.time(name, lambda: post(connection, INGRESSES, obj), fleet.host_of(1_000_000 + number), status=200)
    await connection.ask("DELETE", f"{INGRESSES}/{name}")


async def _pod(ready: Trial, gone: Trial, connection: Connection, pod: int) -> None:
    """The one Service's pods go, and come again."""
    name, host = "app-0-abcde", fleet.host_of(0)
    nobody = fleet.endpoint_slice(0, pods=0)
    somebody = fleet.endpoint_slice(0, address=HOST, port=pod)
    await gone.time(name, lambda: put(connection, SLICES, nobody), host, status=503)
    await ready.time(name, lambda: put(connection, SLICES, somebody), host, status=200)


def main(counts: list[int], changes: int) -> None:
    facts = machine()
    say(", ".join(f"{name} {value}" for name, value in facts.items()))
    with tempfile.TemporaryDirectory() as place:
        figures = uvloop.run(measure(Path(place), counts, changes))
    print(json.dumps({"milliseconds": figures, **facts, "load at the end": machine()["load"]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 3_000, 10_000])
    parser.add_argument("--changes", type=int, default=50, help="of each kind")
    given = parser.parse_args()
    main(given.counts, given.changes)
