"""What a request costs HAProxy, counted and not timed: instructions in user space, and system calls.

CPU time depends on what else the machine does; how many instructions a program runs for a request does not, so what one rule
costs can be told apart. Valgrind runs the same HAProxy for both: under Remora's program, as it comes from Ingresses, and under
the configuration by hand that `bench/data_plane.py` has. One thread, kept connections, one request at a time on each.

What the kernel does is not in it, and instructions are no time: compare a program with another, or with itself of yesterday.

    python bench/instructions.py [--requests 400] [--only NAME ...] [--functions 12]
"""

import argparse
import asyncio
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import haproxy, listening, load, machine, process, say, version_of, worker_of
from bench.peers import objects
from bench.peers.by_hand import write_configuration
from bench.peers.site import ADDED_HEADER, Place, Pod, Site, program
from bench.plane_questions import PLAIN, QUESTIONS, SHAPED, STICKY, Question, fetch_cookie, with_cookie
from bench.pods import PORT, SMALL, address_of, quick_pods
from remora.apply.binary import find_binary
from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.kube.objects import ConfigMap, EndpointSlice, Ingress, KubernetesObject, ObjectMeta, Service
from remora.translate import Translator
from tests.support.certificates import self_signed
from tests.support.kubernetes import ingress_class
from tests.support.proxy import free_ports
from tests.support.translations import snapshot_of

OURS, FLOOR = "remora", "by hand"
ASKED = {question.name: question for question in QUESTIONS if question.route in (PLAIN, STICKY, SHAPED)}
NAMES = ("plain", "sticky", "shaped")
PODS = 3
_WARMING = 64
_PATIENCE = 60.0
_COUNTER = "--quiet --tool=callgrind --trace-children=yes --collect-systime=yes --compress-strings=no --compress-pos=no"
_COPYING = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=4294967296"
"""Without it, copies are made by one instruction, which Valgrind counts once for each byte."""


@dataclass(frozen=True)
class Counted:
    """A HAProxy that is counted: where it listens, its process, and where its counts are written."""

    port: int
    pid: int
    directory: Path


@dataclass(frozen=True)
class Cost:
    """Of one request. `functions` are instructions by the function that they are in."""

    instructions: float
    calls: float
    functions: Counter[str] = field(default_factory=Counter)


@asynccontextmanager
async def counted_remora(directory: Path, site: Site) -> AsyncIterator[Counted]:
    """HAProxy as the controller fills it, which then leaves it alone."""
    state, wrapper = directory / "state", directory / "haproxy"
    state.mkdir()
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *-W*) exec {_command(directory)} "$@";; *) exec {find_binary()} "$@";; esac\n')
    wrapper.chmod(0o755)
    http, https = free_ports(2)
    settings = ProxySettings(
        state_directory=str(state), bind_addresses=("127.0.0.1",), http_port=http, https_port=https, threads=1
    )
    routing = RoutingSettings(session_key=b"bench", configmap=NamespacedName(objects.NAMESPACE, objects.CONTROLLER))
    translation = Translator(routing).translate(snapshot_of(kubernetes_objects(site)), None)
    executor = Executor(settings, binary=str(wrapper))
    try:
        outcome = await executor.apply(Configurator(settings).configure(translation.model))
        wrong = [str(problem) for problem in translation.problems]
        if wrong or outcome.error:
            sys.exit("\n".join([*wrong, outcome.error]))
        yield Counted(http, worker_of(state), directory)
    finally:
        await executor.stop(grace=0.2)


@asynccontextmanager
async def counted_by_hand(directory: Path, site: Site) -> AsyncIterator[Counted]:
    certificate = directory / "certificate.pem"
    certificate.write_bytes(self_signed("sticky.example"))
    http, https = free_ports(2)
    write_configuration(Place(directory, http, https, certificate, directory), site)
    with process(*shlex.split(_command(directory)), "-db", "-f", str(directory / "haproxy.cfg")) as pid:
        yield Counted(http, pid, directory)


def kubernetes_objects(site: Site) -> list[KubernetesObject]:
    """What an API server would hold for the site."""
    allowed = {"global-allowed-response-headers": ADDED_HEADER[0]}
    made: list[KubernetesObject] = [
        ingress_class("nginx"),
        ConfigMap(ObjectMeta(objects.HEADERS, objects.NAMESPACE), data=dict([ADDED_HEADER])),
        ConfigMap(ObjectMeta(objects.CONTROLLER, objects.NAMESPACE), data=allowed),
    ]
    for route in site.routes:
        made.append(msgspec.convert(objects.ingress(route), Ingress))
        made.append(msgspec.convert(objects.service(route), Service))
        made.append(msgspec.convert(objects.endpoint_slice(route, site), EndpointSlice))
    return made


def _command(directory: Path) -> str:
    counts = shlex.quote(f"{directory}/counts.%p")
    return f"env {_COPYING} {program('valgrind')} {_COUNTER} --callgrind-out-file={counts} {find_binary()}"


async def cost_of(question: Question, peer: Counted, requests: int) -> Cost:
    """Of one request, among many of the same on kept connections."""
    cookie = await fetch_cookie(question, peer.port)
    text = with_cookie(question, cookie).text(question.route.host)

    async def run(count: int) -> None:
        wrong = await load(peer.port, text, requests=count, pipelined=1, is_right=_is_right)
        if wrong:
            sys.exit(f"{question.name}: {wrong} of {count} requests were not answered as asked")

    await run(_WARMING)
    _write_counts(peer)
    await run(requests)
    lines = _write_counts(peer).splitlines()
    totals = dict(zip(_words(lines, "events"), map(int, _words(lines, "totals")), strict=False))
    functions = Counter({name: round(count / requests) for name, count in _by_function(lines).items()})
    return Cost(totals["Ir"] / requests, totals["sysCount"] / requests, functions)


def _is_right(head: bytes) -> bool:
    return head.startswith(b"http/1.1 200") and b"set-cookie" not in head


def _write_counts(peer: Counted) -> str:
    """What was counted since the last time; the counting begins anew."""
    before = set(peer.directory.glob(f"counts.{peer.pid}.*"))
    subprocess.run([str(program("callgrind_control")), "--dump", str(peer.pid)], check=True, capture_output=True)
    (new,) = set(peer.directory.glob(f"counts.{peer.pid}.*")) - before
    return new.read_text()


def _words(lines: list[str], name: str) -> list[str]:
    return next(line for line in lines if line.startswith(f"{name}: ")).split()[1:]


def _by_function(lines: list[str]) -> Counter[str]:
    """Instructions in functions themselves (Valgrind's manual, "Callgrind Format Specification")."""
    found: Counter[str] = Counter()
    name, is_of_callee = "", False
    for line in lines:
        if line.startswith("fn="):
            name = line.removeprefix("fn=")
        elif line.startswith("calls="):
            is_of_callee = True
        elif re.match(r"[0-9+*-]", line):
            if not is_of_callee:
                found[name] += int(line.split()[1])
            is_of_callee = False
    return found


async def main(given: argparse.Namespace) -> None:
    """Prints the table, and JSON to stdout."""
    if program("valgrind") is None:
        sys.exit("valgrind is missing: apt-get install -y valgrind")
    costs: dict[str, dict[str, Cost]] = {}
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-bench-")))
        pods = tuple(Pod(f"pod-{number}", address_of(number)) for number in range(PODS))
        text = quick_pods(directory / "pods", [(pod.name, pod.address) for pod in pods], port=PORT, body=SMALL)
        stack.enter_context(haproxy(find_binary(), directory / "pods.cfg", text))
        site = Site((PLAIN, replace(STICKY, secure=False), SHAPED), pods)
        peers = {}
        for name, counted in ((OURS, counted_remora), (FLOOR, counted_by_hand)):
            own = directory / name.replace(" ", "-")
            own.mkdir()
            peers[name] = await stack.enter_async_context(counted(own, site))
            async with asyncio.timeout(_PATIENCE):
                await listening(peers[name].port)
        for question in (ASKED[name] for name in given.only or NAMES):
            costs[question.name] = {name: await cost_of(question, peer, given.requests) for name, peer in peers.items()}
            _say_costs(question, costs[question.name], given.functions)
    figures = {
        name: {who: {"instructions": round(cost.instructions), "system calls": cost.calls} for who, cost in by_peer.items()}
        for name, by_peer in costs.items()
    }
    print(
        json.dumps({"a request": figures, "processor": machine()["processor"], "haproxy": version_of(str(find_binary()), "-v")})
    )


def _say_costs(question: Question, costs: dict[str, Cost], functions: int) -> None:
    ours, floor = costs[OURS], costs[FLOOR]
    for name, cost in costs.items():
        say(f"{question.what:34}{name:9}{cost.instructions:9.0f} instructions{cost.calls:6.1f} system calls")
    say(f"{'':34}{'ratio':9}{ours.instructions / floor.instructions:9.3f}")
    names = sorted({*ours.functions, *floor.functions}, key=lambda name: floor.functions[name] - ours.functions[name])
    for name in names[:functions]:
        say(f"{'':8}{ours.functions[name]:7}{floor.functions[name]:7}  {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, default=[])
    parser.add_argument("--functions", type=int, default=0, help="how many of those that cost us more than by hand")
    asyncio.run(main(parser.parse_args()))
