"""What ten thousand Ingresses, ten thousand Services and fifty thousand endpoints cost the controller.

    python bench/scale.py [--count 10000]

From the start of its process to the first answer through HAProxy, memory, CPU at rest, and CPU of Python for one change among
them. Wall time depends on what else the machine does, and the API server that is listed shares it; CPU time stands beside it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import fleet
from bench.api_load import Api
from bench.control import Control, answering_pod, controller, filled_api, memory, post, put
from bench.measuring import Peer, cpu, machine, say

REST = 20.0
CHANGES = 100
PAUSE = 0.05
SLICES = f"{fleet.DISCOVERY}/namespaces/default/endpointslices"
INGRESSES = f"{fleet.NETWORKING}/namespaces/default/ingresses"

Figures = dict[str, float]


async def measure(directory: Path, count: int) -> Figures:
    figures: Figures = {}
    async with answering_pod(directory / "pod") as pod, filled_api(directory / "api", count, pod=pod) as api:
        with controller(directory / "api") as control:
            await _measure_start(control, count, figures)
            await settled(api, count)
            await _measure_rest(control, figures)
            await _measure_changes(control, api, count, figures)
            await _measure_memory(control, figures)
        with controller(directory / "api") as control:
            await control.serving(fleet.host_of(0))
            _note(figures, "seconds from a second start to the first answer", time.perf_counter() - control.began)
    return figures


async def _measure_start(control: Control, count: int, figures: Figures) -> None:
    await control.serving(fleet.host_of((count - 1) // 100 * 100))
    _note(figures, "seconds from the start to the first answer", time.perf_counter() - control.began, "at most 5")
    _note(figures, "seconds of Python's CPU until then", control.cpu())
    _note(figures, "MB of Python, at most so far", memory(control.pid, "VmHWM"), "at most 300")


async def settled(api: Api, count: int) -> None:
    """Waits until the controller has told all Ingresses where they are served, a few at a time, which it does at its start."""
    connection = await api.connect()
    while b'"ingress":[{"ip"' not in (await connection.ask("GET", f"{INGRESSES}/app-{count - 1}")).replace(b" ", b""):
        await asyncio.sleep(0.5)
    connection.close()
    await asyncio.sleep(2)


async def _measure_rest(control: Control, figures: Figures) -> None:
    lags = []
    used = control.cpu()
    for _ in range(int(REST)):
        await asyncio.sleep(1)
        lags.append(await control.metric("remora_event_loop_lag_seconds"))
    _note(figures, "% of a core at rest, scraped each second", (control.cpu() - used) / REST * 100)
    _note(figures, "milliseconds of event loop lag at rest, the longest seen", max(lags) * 1e3, "at most 20")
    _note(figures, "milliseconds of event loop lag since the start, the longest", await _longest_lag(control), "at most 20")


async def _measure_changes(control: Control, api: Api, count: int, figures: Figures) -> None:
    connection = await api.connect()
    for what in ("an endpoint more or less", "an Ingress more", "an Ingress less"):
        used, proxied = control.cpu(), cpu(Peer(0, control.proxies()))
        for number in range(CHANGES):
            if what.startswith("an endpoint"):
                await put(connection, SLICES, fleet.endpoint_slice(1, pods=4 + number % 2))
            elif what.endswith("more"):
                await post(connection, INGRESSES, fleet.ingress(count + number, service="app-1"))
            else:
                await connection.ask("DELETE", f"{INGRESSES}/app-{count + number}")
            await asyncio.sleep(PAUSE)
        await asyncio.sleep(1)
        _note(figures, f"milliseconds of Python's CPU for {what}", (control.cpu() - used) / CHANGES * 1e3)
        _note(figures, f"milliseconds of HAProxy's CPU for {what}", (cpu(Peer(0, control.proxies())) - proxied) / CHANGES * 1e3)
    connection.close()
    _note(figures, "reloads of HAProxy in all, the start among them", await control.metric("remora_reloads_total"))


async def _measure_memory(control: Control, figures: Figures) -> None:
    _note(figures, "MB of Python, at the end", memory(control.pid), "at most 300")
    _note(figures, "MB of Python, at most", memory(control.pid, "VmHWM"))
    _note(figures, "MB of HAProxy, all processes", sum(map(memory, control.proxies())))


async def _longest_lag(control: Control) -> float:
    return await control.metric("remora_event_loop_lag_longest_seconds") * 1e3


def _note(figures: Figures, what: str, value: float, goal: str = "") -> None:
    figures[what] = value
    say(f"{value:10.2f}   {what}{f' (goal: {goal})' if goal else ''}")


def main(count: int) -> None:
    facts = machine()
    say(", ".join(f"{name} {value}" for name, value in facts.items()))
    with tempfile.TemporaryDirectory() as place:
        figures = uvloop.run(measure(Path(place), count))
    print(json.dumps({"count": count, "figures": figures, **facts, "load at the end": machine()["load"]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="Ingresses, Services and EndpointSlices")
    main(parser.parse_args().count)
