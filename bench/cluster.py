"""How quick and how heavy the local cluster is, beside what is said of minikube, kind and k3d.

    python bench/cluster.py [--objects 10000] [--only api life]

`api` fills an API server in a process of its own, without controllers or a node, with Services, EndpointSlices and Ingresses,
lists them and lets many watch them. `life` starts the whole cluster with `remora up`, leaves it alone, and lets it serve an
application. Wall time is what people wait for, and depends on what else the machine does; CPU time stands beside it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.api_load import Api, kinds, percentile
from bench.cluster_life import ECHO, FASTAPI, Life
from bench.measuring import machine, say
from remora.cluster.ports import free_port

CLIENTS, WATCHERS, EVENTS = 8, 50, 200
OTHERS = {"minikube": 50, "kind": 33, "k3d": 20}
"""Seconds until an application serves, as published by these projects' users; neither measured here nor on this machine."""

Figures = dict[str, float]


@contextmanager
def api_process(directory: Path) -> Iterator[tuple[Api, float]]:
    """The API server on what the directory has, and the seconds until it listened."""
    began = time.perf_counter()
    command = [sys.executable, str(Path(__file__).with_name("api_process.py")), str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Api(directory, port, process.pid), time.perf_counter() - began
        finally:
            process.kill()


async def measure_api(directory: Path, count: int) -> Figures:
    figures: Figures = {}
    directory.mkdir()
    with api_process(directory) as (api, _):
        for kind in kinds():
            rate = await api.create(kind, count, clients=CLIENTS)
            _note(figures, f"{kind.name}: created per second by {CLIENTS} clients", rate.per_second, "at least 1500")
            _note(figures, f"{kind.name}: microseconds of the server's CPU to create one", rate.cpu)
        for kind in kinds():
            found = [await api.read_list(kind) for _ in range(3)]
            what = f"{kind.name}: seconds for a list of {count} ({found[0][1] / 1e6:.1f} MB), the slowest of three"
            _note(figures, what, max(seconds for seconds, _ in found), "at most 1")
        slices = next(kind for kind in kinds() if kind.name == "EndpointSlice")
        latencies = await api.watch(slices, watchers=WATCHERS, events=EVENTS, pause=0.05)
        for share in (0.5, 0.99):
            what = f"milliseconds from a change to {WATCHERS} watchers, p{share * 100:.0f}"
            _note(figures, what, percentile(latencies, share) * 1e3, "at most 20" if share == 0.99 else "")
        for line, what in (("VmRSS", "now"), ("VmHWM", "at most so far")):
            _note(
                figures, f"MB of memory with {3 * count} objects, {what}", _memory(api.peer.processes[0], line), "at most 400"
            )
    with api_process(directory) as (_, seconds):
        _note(figures, "seconds to start with all of them", seconds)
    return figures


def measure_life(home: Path) -> Figures:
    figures: Figures = {}
    life = Life(home, http_port=free_port("127.0.0.1"))
    with life.up() as seconds:
        _note(figures, "remora up: seconds until kubectl was answered, the first time", seconds, "at most 1.5")
        life.ready()
    with life.up() as seconds:
        _note(figures, "remora up: seconds until kubectl was answered, later", seconds, "at most 1.5")
        life.ready()
        costs = life.idle()
        for name, (share, memory) in costs.items():
            _note(figures, f"idle, {name}: % of a core", share * 100, "at most 1" if name == "remora up" else "")
            _note(figures, f"idle, {name}: MB", memory, "at most 120" if name == "remora up" else "")
        _note(figures, "idle, all together: % of a core", sum(share for share, _ in costs.values()) * 100)
        _note(figures, "idle, all together: MB", sum(memory for _, memory in costs.values()))
        for name, manifests, goal in (("a small server", ECHO, 3), ("FastAPI", FASTAPI, 5)):
            found = [life.serves(manifests) for _ in range(3)]
            what = f"seconds from kubectl apply to three replicas behind a sticky Ingress, {name}, the slowest of three"
            _note(figures, what, max(found), f"at most {goal}")
    for name, seconds in OTHERS.items():
        say(f"{seconds:10.1f}   seconds to an application, {name}: published by its users, not measured here")
    return figures


def _memory(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _note(figures: Figures, what: str, value: float, goal: str = "") -> None:
    figures[what] = value
    say(f"{value:10.2f}   {what}{f' (goal: {goal})' if goal else ''}")


def main(only: list[str], count: int) -> None:
    facts = machine()
    say(", ".join(f"{name} {value}" for name, value in facts.items()))
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as place:
        if "api" in only:
            figures |= uvloop.run(measure_api(Path(place, "api"), count))
        if "life" in only:
            figures |= measure_life(Path(place, "home"))
    print(json.dumps({"figures": figures, "published elsewhere": OTHERS, **facts, "load at the end": machine()["load"]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000, help="of each kind")
    parser.add_argument("--only", nargs="+", choices=["api", "life"], default=["api", "life"])
    given = parser.parse_args()
    main(given.only, given.objects)
