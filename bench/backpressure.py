"""How long another namespace's changes take while one namespace is out of its mind: thousands of broken Ingresses come, are
there, change; one host is claimed by thousands; a pod flaps ten times a second.

    python bench/backpressure.py [--broken 10000] [--changes 20] [--output DIRECTORY]

The goal is that nobody else's change takes more than a second longer. Changes are timed as `propagation.py` times them.
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
from bench.api_load import Api, Connection, Kind
from bench.charts import bars
from bench.control import CLIENTS, Control, answering_pod, controller, filled_api, memory, post, put
from bench.measuring import machine, say
from bench.propagation import Stand
from bench.propagation_report import Found

OTHERS = 100
"""Routes of the namespace that minds its own business."""
NOISY = "noisy"
INGRESSES = f"{fleet.NETWORKING}/namespaces/{NOISY}/ingresses"
SLICES = f"{fleet.DISCOVERY}/namespaces/{NOISY}/endpointslices"
SERVICES = f"/api/v1/namespaces/{NOISY}/services"
GOAL = 1000.0
FLAP = 0.1
"""Seconds between two changes of the pod that flaps."""


def broken_ingress(number: int) -> fleet.Object:
    """One of three: no Service and annotations that cannot be read; a host that many others claim; the guard of a
    secret that is not there."""
    obj = fleet.ingress(number, host="claimed.noisy.example" if number % 3 == 1 else f"broken-{number}.noisy.example")
    annotations = dict(obj["metadata"]["annotations"])
    prefix = "nginx.ingress.kubernetes.io/"
    if number % 3 == 0:
        annotations |= {f"{prefix}proxy-body-size": "much {", f"{prefix}limit-rps": "-1", f"{prefix}ssl-redirect": "perhaps"}
    elif number % 3 == 2:
        annotations |= {f"{prefix}auth-type": "basic", f"{prefix}auth-secret": f"nobody-{number}"}
    obj["metadata"] |= {"name": f"broken-{number}", "namespace": NOISY, "annotations": annotations}
    return obj


def noisy_slice(pods: int) -> fleet.Object:
    obj = fleet.endpoint_slice(0, address="127.0.0.99", pods=pods)
    obj["metadata"] |= {"namespace": NOISY}
    return obj


@asynccontextmanager
async def meanwhile(work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """Goes on until it is done or the block is."""
    task = asyncio.ensure_future(work())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def prepare(connection: Connection) -> None:
    """A namespace with one Service that works."""
    await post(connection, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NOISY}})
    for path, obj in (
        (SERVICES, fleet.service(0)),
        (SLICES, noisy_slice(1)),
        (INGRESSES, fleet.ingress(0, host="flapping.noisy.example")),
    ):
        obj["metadata"] |= {"namespace": NOISY}
        await post(connection, path, obj)


class Noise:
    """What the one namespace does."""

    def __init__(self, api: Api, count: int) -> None:
        self._api, self._count = api, count

    async def arrive(self) -> None:
        rate = await self._api.create(Kind("Ingress", INGRESSES, broken_ingress), self._count, clients=CLIENTS)
        say(f"{rate.objects} broken Ingresses created, {rate.per_second:.0f} a second")

    async def change(self) -> None:
        """All of them again and again, each time with something else that is wrong."""

        async def one(first: int) -> None:
            connection = await self._api.connect()
            for turn in range(1 << 30):
                for number in range(first, self._count, CLIENTS):
                    obj = broken_ingress(number)
                    obj["metadata"]["annotations"]["nginx.ingress.kubernetes.io/limit-rpm"] = f"-{turn}"
                    await put(connection, INGRESSES, obj)

        await asyncio.gather(*map(one, range(CLIENTS)))

    async def flap(self) -> None:
        connection = await self._api.connect()
        for turn in range(1 << 30):
            await put(connection, SLICES, noisy_slice(turn % 2))
            await asyncio.sleep(FLAP)


async def measure(directory: Path, broken: int, changes: int) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    async with answering_pod(directory / "pod") as pod, filled_api(directory / "api", OTHERS, pod=pod) as api:
        connection = await api.connect()
        await prepare(connection)
        noise = Noise(api, broken)
        with controller(directory / "api") as control:
            await control.serving(fleet.host_of(0))
            stand = Stand("Remora", control, api, connection, count=OTHERS, pod=pod)

            async def ask(what: str) -> None:
                found[what] = [*await stand.routes(changes, churn=False), *await stand.pods(changes, churn=False)]
                for one in found[what]:
                    say(f"{what}: {one.line}")

            await ask("calm")
            async with meanwhile(noise.arrive) as arriving:
                await ask(f"{broken} broken Ingresses come")
                await arriving
            await known(control, broken)
            await ask("they are there")
            async with meanwhile(noise.flap):
                await ask("a pod flaps ten times a second")
            async with meanwhile(noise.change):
                await ask("all of them change")
            lines = (directory / "api" / "controller.log").read_text().count("\n")
            say(f"{lines} lines of the controller's log, {memory(control.pid):.0f} MB of its memory")
        connection.close()
    return found


async def known(control: Control, count: int) -> None:
    """Waits until the controller has found something wrong in each."""
    began = time.perf_counter()
    while await control.metric("remora_problems") < count * 0.9:
        await asyncio.sleep(0.5)
    say(f"{time.perf_counter() - began:.1f} s until the controller has looked at all of them")


def render(found: dict[str, list[Found]]) -> str:
    """A row for each time, a column for each kind of change."""
    kinds = [one.what for one in next(iter(found.values()))]
    lines = [f"{'p50 / longest in ms, from the watch event':46}" + "".join(f"{what:>24}" for what in kinds)]
    for what, some in found.items():
        cells = (f"{one.from_event[0]:.0f} / {one.from_event[1]:.0f}" for one in some)
        lines.append(f"{what:46}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def main(given: argparse.Namespace) -> None:
    facts = machine()
    say(", ".join(f"{name} {value}" for name, value in facts.items()))
    with tempfile.TemporaryDirectory() as place:
        found = uvloop.run(measure(Path(place), given.broken, given.changes))
    print(render(found))
    if given.output:
        directory = Path(given.output)
        directory.mkdir(parents=True, exist_ok=True)
        plain = {what: {one.what: one.from_event for one in some} for what, some in found.items()}
        (directory / "backpressure.json").write_text(json.dumps({"milliseconds": plain, **facts}, indent=1) + "\n")
        (directory / "backpressure.txt").write_text(render(found) + "\n")
        groups = {f"{what}: {one.what}": {"longest": one.from_event[1]} for what, some in found.items() for one in some}
        title = "Changes of another namespace, the longest"
        picture = bars(title, "milliseconds", {**groups}, goals=dict.fromkeys(groups, GOAL), most=GOAL)
        (directory / "backpressure.svg").write_text(picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broken", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=20, help="of each kind, each time")
    parser.add_argument("--output", default="", help="a directory for backpressure.json, its text and its picture")
    main(parser.parse_args())
