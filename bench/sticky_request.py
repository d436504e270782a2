"""What a sticky request costs HAProxy under Remora's program, against a configuration written by hand for the same job.

Both run the same binary with one thread, in turn, round by round; what is compared is the CPU time of the HAProxy processes,
as the kernel counts it (`/proc/PID/task/*/schedstat`). Loopback only; it ends by itself.

    python bench/sticky_request.py [--requests 8000] [--rounds 9]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import (
    BY_HAND_DEFAULTS,
    Figures,
    Peer,
    Request,
    ask,
    haproxy,
    listening,
    load,
    machine,
    measured,
    pods_text,
    ratios,
    say,
    spread,
    version_of,
    worker_of,
)
from remora.apply.binary import find_binary
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AffinityMode, ForwardTo, PrefixPath
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import free_ports, running_executor

HOST = "web.example"
PIPELINED = 16

BY_HAND = (
    """\
global
  nbthread 1
  stats socket {directory}/sock mode 600
"""
    + BY_HAND_DEFAULTS
    + """\
backend counters
  stick-table type string len 20 size 1k store gpc(2)
frontend web
  bind 127.0.0.1:{port}
  http-request set-header X-Original-Forwarded-For %[req.fhdr(X-Forwarded-For)] if {{ req.hdr(X-Forwarded-For) -m found }}
  http-request set-header X-Original-Forwarded-Host %[req.fhdr(X-Forwarded-Host)] if {{ req.hdr(X-Forwarded-Host) -m found }}
  http-request set-header X-Request-ID %[uuid(),regsub(-,,g)] if !{{ req.hdr(x-request-id) -m found }}
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port 80
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Scheme http
  http-request set-header X-Scheme http
  http-request del-header Proxy
  http-request track-sc0 str(web) table counters
  http-after-response sc-inc-gpc(0,0) if {{ status 200 }}
  http-after-response del-header Server
  use_backend web if {{ req.hdr(host) -m str web.example }} {{ path_beg / }}
backend web
  balance roundrobin
  cookie held insert indirect preserve nocache
  {servers}
"""
)
"""Routes by host and path, sets the same headers, counts by route, and keeps a client by HAProxy's own cookie."""


async def main(requests: int, rounds: int) -> None:
    """Prints one line of JSON, and a table for people to stderr."""
    binary = find_binary(None)
    pods = free_ports(3)
    (by_hand_port,) = free_ports(1)
    servers = "\n  ".join(f"server s{port} 127.0.0.1:{port} cookie s{port}" for port in pods)
    with (
        tempfile.TemporaryDirectory(prefix="remora-") as text,
        haproxy(binary, (directory := Path(text)) / "pods.cfg", pods_text(*pods)),
        haproxy(
            binary,
            directory / "by-hand.cfg",
            BY_HAND.format(directory=directory, port=by_hand_port, servers=servers),
        ) as by_hand,
    ):
        state = directory / "state"
        state.mkdir()
        http, https = free_ports(2)
        settings = ProxySettings(
            state_directory=str(state), bind_addresses=("127.0.0.1",), http_port=http, https_port=https, threads=1
        )
        async with running_executor(settings) as executor:
            endpoints = [endpoint(f"pod{number}", port) for number, port in enumerate(pods)]
            action = ForwardTo(NAME, sticky(AffinityMode.PERSISTENT))
            wanted = model([host(route(PrefixPath(""), action), name=HOST)], [backend(*endpoints)])
            outcome = await executor.apply(Configurator(settings).configure(wanted))
            if outcome.error:
                sys.exit(outcome.error)
            peers = {"by hand": Peer(by_hand_port, (by_hand,)), "remora": Peer(http, (worker_of(state),))}
            for peer in peers.values():
                await listening(peer.port)
            figures = await _measured(peers, requests, rounds)
    _report(figures, binary)


async def _measured(peers: dict[str, Peer], requests: int, rounds: int) -> Figures:
    texts = {}
    for name, peer in peers.items():
        given = (await ask(peer.port, HOST, Request())).headers["set-cookie"]
        texts[name] = Request(headers={"Cookie": f"a=1; {given.partition(';')[0]}"}).text(HOST)

    async def run(name: str, peer: Peer) -> int:
        wrong = await load(peer.port, texts[name], requests=requests, pipelined=PIPELINED, is_right=_is_followed)
        if wrong:
            sys.exit(f"{name}: {wrong} of {requests} requests did not follow their session")
        return requests

    return await measured(peers, run, rounds=rounds)


def _is_followed(head: bytes) -> bool:
    return head.startswith(b"http/1.1 200") and b"set-cookie" not in head


def _report(figures: Figures, binary: Path) -> None:
    for name, found in figures.items():
        say(f"{name:10} {statistics.median(found):6.1f} us a request, lowest {min(found):5.1f}")
    found = ratios(figures, "remora", "by hand")
    say(f"{'ratio':10} {spread(found)}")
    facts = {**machine(), "haproxy": version_of(str(binary), "-v")}
    print(json.dumps({"microseconds": figures, "ratio": statistics.median(found), **facts}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    asyncio.run(main(given.requests, given.rounds))
