"""What requests cost Remora and its peers: CPU of the proxies first, then how long requests took, and memory.

Every peer runs at once and is asked in turn, round by round; the same pods stand behind all, and Remora and Traefik read the
same Ingresses from the same API server. Before and while it is measured each has to do what is asked (status, length, one
pod for one session, TLS resumed or not); a ratio beside one that does not is refused.

    python bench/data_plane.py [--rounds 3] [--ingresses 10000] [--quick] [--only NAME ...] [--peers NAME ...]
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.clients import H2LOAD_MISSING, Load, client, h2load
from bench.measuring import Peer, Request, ask, cpu, haproxy, machine, process, say
from bench.peers import OURS, PEERS
from bench.peers.objects import Objects, api_server
from bench.peers.site import Place, Pod, Proxy, Site, end_in_order, free_ports, program
from bench.plane_questions import (
    PLAIN,
    QUESTIONS,
    Kind,
    Question,
    fetch_cookie,
    site,
    with_cookie,
    wrong_with,
)
from bench.plane_report import Finding, render, write
from bench.pods import BIG, BIG_PORT, PORT, SMALL, address_of, counted, quick_pods
from bench.verdicts import Sample, sample
from remora.apply.binary import find_binary
from tests.support.certificates import self_signed

PODS = 3
PATIENCE = 100.0


@dataclass
class Plane:
    """What runs: the pods with their counters, and the peers."""

    directory: Path
    pods: tuple[Pod, ...]
    proxies: dict[str, Proxy]
    left_out: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def running_plane(wanted: Sequence[type[Proxy]], more: int) -> AsyncIterator[Plane]:
    """Pods, API server and peers, on a site of so many further Ingresses."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-bench-")))
        pods = tuple(Pod(f"pod-{number}", address_of(number)) for number in range(PODS))
        _start_pods(stack, directory, pods)
        (directory / "certificate.pem").write_bytes(self_signed("sticky.example"))
        api = stack.enter_context(api_server(directory / "api"))
        plane = Plane(directory, pods, {})
        asked, made = site(pods, more), False
        for number, peer in enumerate(wanted):
            if missing := peer.missing():
                plane.left_out[peer.name] = missing
                continue
            place = _place(directory, number)
            if peer.reads_api and not made:
                await Objects(api, place).configure(asked)
                made = True
            plane.proxies[peer.name] = proxy = peer(place)
            stack.callback(proxy.stop)
            proxy.start(asked)
        for name, proxy in tuple(plane.proxies.items()):
            if reason := await _served(proxy, asked):
                plane.left_out[name] = reason
                plane.proxies.pop(name).stop()
        yield plane


def _start_pods(stack: AsyncExitStack, directory: Path, pods: Sequence[Pod]) -> None:
    binary = find_binary(None)
    named = [(pod.name, pod.address) for pod in pods]
    for name, port, body in (("small", PORT, SMALL), ("big", BIG_PORT, BIG)):
        text = quick_pods(directory / name, named, port=port, body=body)
        stack.enter_context(haproxy(binary, directory / f"{name}.cfg", text))
    addresses = [f"{name}={address}" for name, address in named]
    stack.enter_context(process(sys.executable, str(Path(__file__).with_name("pods.py")), *addresses))


def _place(directory: Path, number: int) -> Place:
    own = directory / f"peer-{number}"
    own.mkdir()
    http, https = free_ports(2)
    return Place(own, http, https, directory / "certificate.pem", directory / "api" / "kubeconfig", number)


async def _served(proxy: Proxy, asked: Site) -> str:
    """Why the first and the last route are not served in time; nothing if they are."""
    deadline, seen = time.monotonic() + PATIENCE, ""
    with contextlib.suppress(OSError):
        await _configured(proxy, asked)
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, IndexError, ValueError):
            statuses = [(await ask(proxy.place.http, route.host, Request())).status for route in (PLAIN, asked.routes[-1])]
            if statuses == [200, 200]:
                return ""
            seen = f"answered {statuses}"
        if proxy.ended:
            return proxy.ended
        await asyncio.sleep(0.1)
    return f"did not serve {len(asked.routes)} Ingresses within {PATIENCE:.0f} s {seen}"


async def _configured(proxy: Proxy, asked: Site) -> None:
    """What is given while it runs, as soon as it listens."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            await proxy.configure(asked)
            return
        await asyncio.sleep(0.1)


async def load(question: Question, proxy: Proxy, directory: Path, cookie: str) -> Load:
    """One round of a question."""
    place, host = proxy.place, question.route.host
    match question.kind:
        case Kind.HTTP1 | Kind.HTTP2:
            is_h1 = question.kind is Kind.HTTP1
            return await h2load(
                str(program("h2load")),
                directory,
                f"http{'' if is_h1 else 's'}://{host}{question.path}",
                place.http if is_h1 else place.https,
                requests=question.requests,
                connections=question.connections,
                streams=question.streams,
                h1=is_h1,
                headers=with_cookie(question, cookie).headers,
            )
        case Kind.FULL | Kind.RESUMED:
            return await client("handshakes", str(place.https), host, str(question.requests), question.kind.value)
        case Kind.WEBSOCKET:
            arguments = (str(place.http), host, str(question.requests), str(question.connections), f"--cookie={cookie}")
            return await client("websockets", *arguments)


async def measure(question: Question, plane: Plane, rounds: int) -> Finding:
    """All peers in turn, once more than `rounds`: the first warms up."""
    found: dict[str, list[Sample]] = {name: [] for name in plane.proxies}
    cookies, wrong = {}, {}
    for name, proxy in plane.proxies.items():
        try:
            cookies[name] = await fetch_cookie(question, proxy.place.http)
            if question.kind is not Kind.WEBSOCKET:
                wrong[name] = "; ".join(await wrong_with(question, proxy.place.http, cookies[name]))
        except (OSError, IndexError, ValueError) as error:
            cookies[name], wrong[name] = "", f"did not answer: {error!r}"
    for number in range(rounds + 1):
        for name, proxy in plane.proxies.items():
            one = await _round(question, plane, proxy, cookies[name], wrong.get(name, ""))
            if number:
                found[name].append(one)
    return Finding(question.name, question.what, found)


async def _round(question: Question, plane: Plane, proxy: Proxy, cookie: str, wrong: str) -> Sample:
    if wrong:
        return Sample(0.0, wrong=wrong)
    counters = plane.directory / "small"
    follows = bool(cookie) and question.kind in (Kind.HTTP1, Kind.HTTP2)
    before = await counted(counters) if follows else {}
    peer = Peer(proxy.place.http, tuple(proxy.processes()))
    used = cpu(peer)
    try:
        done = await load(question, proxy, plane.directory, cookie)
    except (OSError, ValueError) as error:
        return Sample(0.0, wrong=f"the client gave up: {error!r}")
    used = cpu(peer) - used
    problem = done.wrong
    if follows:
        after = await counted(counters)
        reached = [name for name, count in after.items() if count > before[name]]
        problem = problem or ("" if len(reached) == 1 else f"one session reached {len(reached)} pods")
    return sample(used / done.asked, done.latencies, problem)


def memory(pids: Sequence[int]) -> float:
    """MB that are theirs alone, or their share."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


async def measured_with(peers: Sequence[type[Proxy]], questions: Sequence[Question], more: int, rounds: int) -> list[Finding]:
    """The questions on a site with so many further Ingresses."""
    findings = []
    async with running_plane(peers, more) as plane:
        for name, reason in plane.left_out.items():
            say(f"{name} is left out: {reason}")
        for question in questions:
            began = time.monotonic()
            finding = await measure(question, plane, rounds)
            findings.append(finding)
            say(f"{question.what}: {time.monotonic() - began:.0f} s")
        costs: dict[str, float] = {}
        deciding: dict[str, float] = {}
        for name, proxy in plane.proxies.items():
            with contextlib.suppress(OSError):  # it has ended, and said so above
                costs[name] = memory(proxy.processes())
                deciding |= {name: memory(proxy.controllers())} if proxy.controllers() else {}
        findings.append(Finding("memory", "memory after these requests", {}, costs, deciding, plane.left_out))
    return findings


async def main(given: argparse.Namespace) -> None:
    if program("h2load") is None:
        sys.exit(H2LOAD_MISSING)
    peers = [peer for peer in PEERS if not given.peers or peer.name in given.peers]
    questions = [one for one in QUESTIONS if not given.only or one.name in given.only]
    began = time.monotonic()
    facts = {**machine(), **{peer.name: peer.version() for peer in peers if not peer.missing()}}
    say("\n".join(f"{name}: {value}" for name, value in facts.items()))
    few = await measured_with(peers, questions, 0, given.rounds)
    if given.output:
        # The second half takes long to begin; what is known is not lost if somebody ends it.
        write(Path(given.output), facts, few, [], given.ingresses, OURS)
    again = [one for one in questions if one.many]
    many = await measured_with(peers, again, given.ingresses, given.rounds) if given.ingresses and again else []
    facts |= {"seconds": f"{time.monotonic() - began:.0f}", "rounds": str(given.rounds), "load at the end": machine()["load"]}
    print(render(few, many, given.ingresses, OURS))
    say(f"{facts['seconds']} s, load {facts['load at the end']}")
    if given.output:
        write(Path(given.output), facts, few, many, given.ingresses, OURS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ingresses", type=int, default=10_000, help="present in the second half; 0 leaves it out")
    parser.add_argument("--quick", action="store_true", help="a look: one round, 500 Ingresses")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[one.name for one in QUESTIONS], default=[])
    parser.add_argument("--peers", nargs="+", metavar="NAME", choices=[peer.name for peer in PEERS], default=[])
    parser.add_argument("--output", default="", help="a directory for data-plane.json and the pictures")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.ingresses = 1, min(given.ingresses, 500)
    end_in_order()
    asyncio.run(main(given))
