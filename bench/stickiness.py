"""What becomes of live sessions when pods, routes, proxies and controllers change: all peers at once, on the same pods.

Every peer has as many visitors with a session each, and as many WebSockets. A session is broken if it leaves a pod that is
still there; one whose pod has gone has lost nothing that anybody could have kept. What happens, happens to all at the same
moment.

    python bench/stickiness.py [--sessions 40] [--websockets 10] [--quick] [--only NAME ...] [--output DIRECTORY]
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import Request, ask, machine, say
from bench.peers import PEERS
from bench.peers.objects import Objects, api_server
from bench.peers.site import Place, Proxy, end_in_order, free_ports
from bench.pods import PORT, LivePods
from bench.scenarios import CALM, LIVE, SCENARIOS, Scenario, Stage, Unfit
from bench.sessions_report import Outcome, render, write
from bench.visitors import Tally, Visitor, talk
from tests.support.certificates import self_signed

PODS = 4
PATIENCE = 60.0
REPLICA, STOPPED = "replica", "stopped"

Outcomes = dict[str, Outcome]


@asynccontextmanager
async def running_stage(peers: Sequence[type[Proxy]]) -> AsyncIterator[tuple[Stage, AsyncExitStack, Path]]:
    """Four pods, and every peer serving them."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-bench-")))
        (directory / "certificate.pem").write_bytes(self_signed(LIVE.host))
        api = stack.enter_context(api_server(directory / "api"))
        pods = LivePods(PORT)
        stack.callback(pods.stop)
        stage = Stage(pods, Objects(api, _place(directory, 99)), {})
        await stage.add(PODS)
        for number, peer in enumerate(peers):
            if missing := peer.missing():
                say(f"{peer.name} is left out: {missing}")
                continue
            stage.proxies[peer.name] = await _started(stack, peer, _place(directory, number), stage)
        await _leave_out(stage)
        yield stage, stack, directory


def _place(directory: Path, number: int) -> Place:
    own = directory / f"peer-{number}"
    own.mkdir()
    http, https = free_ports(2)
    return Place(own, http, https, directory / "certificate.pem", directory / "api" / "kubeconfig", number)


async def _started(stack: AsyncExitStack, peer: type[Proxy], place: Place, stage: Stage) -> Proxy:
    proxy = peer(place)
    stack.callback(proxy.stop)
    proxy.start(stage.site)
    return proxy


async def _leave_out(stage: Stage) -> None:
    """Goes on without those who do not serve in time."""
    named = tuple(stage.proxies.items())
    found = await asyncio.gather(*(_served(proxy, stage) for _, proxy in named), return_exceptions=True)
    for (name, _), error in zip(named, found, strict=True):
        if error:
            say(f"{name} is left out: it did not serve {len(stage.site.pods)} pods within {PATIENCE:.0f} s: {error!r}")
            stage.proxies.pop(name).stop()


async def _served(proxy: Proxy, stage: Stage) -> None:
    """Waits until each of the pods was reached."""
    async with asyncio.timeout(PATIENCE):
        reached: set[str] = set()
        is_told = False
        while len(reached) < len(stage.site.pods):
            if proxy.ended:
                raise ConnectionError(proxy.ended)
            with contextlib.suppress(OSError, IndexError, ValueError):
                if not is_told:
                    await proxy.configure(stage.site)
                    is_told = True
                answer = await ask(proxy.place.http, LIVE.host, Request())
                reached |= {answer.headers["x-pod"]} if answer.status == 200 else set()
            await asyncio.sleep(0.05)


async def witness(stage: Stage, scenario: Scenario, sessions: int, websockets: int) -> Outcomes:
    """Runs a scenario among new visitors."""
    is_last = scenario.name == STOPPED
    there = dict(zip(stage.proxies, stage.others, strict=True)) if is_last else stage.proxies
    ports = {name: proxy.place.http for name, proxy in there.items()}
    tallies = {name: Tally(sessions=sessions, websockets=websockets, keeps=is_last) for name in ports}
    visits = [visit for name, tally in tallies.items() for visit in _visits(stage, name, tally, ports)]
    tasks = [asyncio.create_task(visit) for visit in visits]
    await asyncio.sleep(CALM)
    unfit: Unfit = {}
    if scenario.name == REPLICA:
        ports |= {name: other.place.http for name, other in zip(stage.proxies, stage.others, strict=True)}
    elif is_last:
        ports |= {name: proxy.place.http for name, proxy in stage.proxies.items()}
        for other in stage.others:
            other.finish()
    else:
        unfit = await scenario.run(stage)
    await asyncio.sleep(2 * CALM)
    processes = {name: len(proxy.processes()) for name, proxy in stage.proxies.items()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    broken = [repr(task.exception()) for task in tasks if not task.cancelled() and task.exception()]
    if broken:
        sys.exit(f"{scenario.name}: visitors broke: {broken[:3]}")
    return {
        name: Outcome(scenario.name, scenario.what, tally, unfit.get(name, ""), processes[name])
        for name, tally in tallies.items()
    }


def _visits(stage: Stage, name: str, tally: Tally, ports: dict[str, int]) -> Iterator[Coroutine[None, None, None]]:
    def port() -> int:
        return ports[name]

    for number in range(tally.sessions):
        yield Visitor(number, LIVE.host, tally, stage.pods.is_up).run(port)
    for _ in range(tally.websockets):
        yield talk(port, LIVE.host, tally, stage.pods.is_up)


async def witness_replicas(stage: Stage, stack: AsyncExitStack, directory: Path, given: argparse.Namespace) -> list[Outcomes]:
    """Each gets a second replica: clients come to it, and come back when it is told to go."""
    others = [
        await _started(stack, type(proxy), _place(directory, 50 + number), stage)
        for number, proxy in enumerate(stage.proxies.values())
    ]
    try:
        await asyncio.gather(*(_served(proxy, stage) for proxy in others))
    except (TimeoutError, ConnectionError) as error:
        say(f"replicas are left out: they did not all serve within {PATIENCE:.0f} s: {error!r}")
        return []
    stage.others = tuple(others)
    found = []
    for name, what in ((REPLICA, "clients come to another replica"), (STOPPED, "a replica is told to go (SIGTERM)")):
        if not given.only or name in given.only:
            found.append(await witness(stage, Scenario(name, what, SCENARIOS[0].run), given.sessions, given.websockets))
    return found


async def main(given: argparse.Namespace) -> None:
    peers = [peer for peer in PEERS if not given.peers or peer.name in given.peers]
    wanted = [one for one in SCENARIOS if not given.only or one.name in given.only]
    began = time.monotonic()
    found: list[Outcomes] = []
    facts = {**machine(), **{peer.name: peer.version() for peer in peers if not peer.missing()}}
    say("\n".join(f"{name}: {value}" for name, value in facts.items()))
    async with running_stage(peers) as (stage, stack, directory):
        for scenario in wanted:
            found.append(await witness(stage, scenario, given.sessions, given.websockets))
            say(f"{scenario.what}: done after {time.monotonic() - began:.0f} s")
        if not given.only or {REPLICA, STOPPED} & set(given.only):
            found += await witness_replicas(stage, stack, directory, given)
    facts |= {"seconds": f"{time.monotonic() - began:.0f}", "load at the end": machine()["load"]}
    print(render(found))
    say(f"{facts['seconds']} s, load {facts['load at the end']}")
    if given.output:
        write(Path(given.output), facts, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=40, help="to each peer")
    parser.add_argument("--websockets", type=int, default=10, help="to each peer")
    parser.add_argument("--quick", action="store_true", help="a look: ten sessions, three WebSockets")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=[*(one.name for one in SCENARIOS), REPLICA, STOPPED], default=[]
    )
    parser.add_argument("--peers", nargs="+", metavar="NAME", choices=[peer.name for peer in PEERS], default=[])
    parser.add_argument("--output", default="", help="a directory for stickiness.json, its text and its picture")
    given = parser.parse_args()
    if given.quick:
        given.sessions, given.websockets = 10, 3
    end_in_order()
    asyncio.run(main(given))
