"""What a request under each policy costs Remora, next to nginx doing the same: CPU of the proxies, one worker or thread each.

Remora gets Ingresses with annotations, as users write them, and its own program runs in HAProxy; nginx gets what ingress-nginx
makes of the same annotations (`questions.py`, `nginx.py`). Both have the same pods. Before anything is measured, both are asked
whether they do what the policy says; where one does not, there is no figure. On a machine with other work the ratio of the
lowest figures says most: whatever disturbs a round makes it dearer.

    python bench/policies.py [--requests 3200] [--rounds 7] [--pipelined 1] [--only NAME ...] [--json]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.measuring import (
    Answer,
    Figures,
    Peer,
    Request,
    ask,
    children_of,
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
from bench.nginx import MISSING, find_nginx, nginx
from bench.questions import PASSWORDS, QUESTIONS, Check, Question
from remora.apply.binary import find_binary
from remora.controller.slow_hashes import answering
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.session_lifetime import derive_key
from remora.haproxy.layout import Layout
from remora.kube.objects import ConfigMap, EndpointPort, KubernetesObject, ObjectMeta
from remora.translate import Translator
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service
from tests.support.proxy import free_ports, running_executor
from tests.support.translations import snapshot_of

OURS, THEIRS = "remora", "nginx"
SESSION_KEY = b"bench"
CONTROLLER = NamespacedName("shop", "controller")

AUTH_SERVICE = """\
global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend service
  bind 127.0.0.1:{port}
  http-request return status 401 if {{ req.hdr(Authorization) "Bearer stranger" }}
  http-request return status 200 content-type text/plain string yes hdr X-User %[uuid]
"""
"""Lets all in but one; what it says is never the same twice, so that an answer that was kept can be told."""


def objects(questions: Sequence[Question], pods: Sequence[int], auth: int) -> list[KubernetesObject]:
    """The Ingresses of all questions, and what they refer to."""
    made: list[KubernetesObject] = [
        ingress_class("nginx"),
        service("shop/web"),
        *(_slice("web", f"pod-{number}", port) for number, port in enumerate(pods)),
        service("shop/auth"),
        _slice("auth", "auth-0", auth),
        ConfigMap(ObjectMeta("headers", "shop"), data={"X-Custom": "yes"}),
        ConfigMap(
            ObjectMeta(CONTROLLER.name, CONTROLLER.namespace),
            data={"global-allowed-response-headers": "X-Custom", "allow-snippet-annotations": "true"},
        ),
        *(secret(f"shop/{kind}", auth=text.encode()) for kind, text in PASSWORDS.items()),
    ]
    for question in questions:
        wanted = rule(question.host, question.path, path_type="Prefix" if question.path == "/" else "ImplementationSpecific")
        made.append(ingress(f"shop/{question.name}", wanted, annotations=dict(question.annotations)))
    return made


def _slice(name: str, pod: str, port: int) -> KubernetesObject:
    return endpoint_slice(f"shop/{pod}", name, endpoint("127.0.0.1", pod), ports=(EndpointPort("http", port),))


@asynccontextmanager
async def running_peers(program: str, questions: Sequence[Question]) -> AsyncIterator[dict[str, Peer]]:
    """Both, with the same pods behind them."""
    binary = find_binary(None)
    *pods, auth, nginx_port, http, https = free_ports(7)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-")))
        stack.enter_context(haproxy(binary, directory / "pods.cfg", pods_text(*pods, headers="hdr X-Pod %[dst_port]")))
        stack.enter_context(haproxy(binary, directory / "auth.cfg", AUTH_SERVICE.format(port=auth)))
        for kind, text in PASSWORDS.items():
            (directory / f"{kind}.passwd").write_text(f"{text}\n")
        master = stack.enter_context(nginx(program, directory, questions, port=nginx_port, pods=pods, auth=auth))
        state = directory / "state"
        state.mkdir()
        settings = ProxySettings(
            state_directory=str(state),
            bind_addresses=("127.0.0.1",),
            http_port=http,
            https_port=https,
            threads=1,
            lifetime_key=derive_key(SESSION_KEY),
        )
        await stack.enter_async_context(answering(Path(Layout(str(state)).passwords_socket)))
        executor = await stack.enter_async_context(running_executor(settings))
        routing = RoutingSettings(session_key=SESSION_KEY, configmap=CONTROLLER)
        translation = Translator(routing).translate(snapshot_of(objects(questions, pods, auth)), None)
        wrong = [str(problem) for problem in translation.problems]
        outcome = await executor.apply(Configurator(settings).configure(translation.model))
        if wrong or outcome.error:
            sys.exit("\n".join([*wrong, outcome.error]))
        await listening(http)
        await listening(nginx_port)
        yield {OURS: Peer(http, (worker_of(state),)), THEIRS: Peer(nginx_port, children_of(master))}


async def wrong_with(question: Question, peer: Peer, cookie: str) -> list[str]:
    """What a peer does not do as it was asked."""
    usual = _with_cookie(question.request, cookie)
    # A limit lets the first in, so the last one counts.
    answers = [await ask(peer.port, question.host, usual) for _ in range(4)]
    wrong = [] if answers[-1].status == question.status else [f"{answers[-1].status} instead of {question.status}"]
    for check in question.checks:
        answer = await ask(peer.port, question.host, check.request)
        wrong += [f"{check.request.method} {check.request.path}: {what}" for what in _wrong_answer(check, answer)]
    if question.follows_cookie:
        wrong += await _wrong_sessions(question, peer, usual)
    if question.repeats is not None:
        seen = Request("/seen", headers=question.request.headers)
        users = {_told(await ask(peer.port, question.host, seen)).get("x-user") for _ in range(3)}
        if None in users or len(users) != (1 if question.repeats else 3):
            wrong.append(f"of three questions the auth service was asked {len(users)} ({users})")
    return wrong


def _wrong_answer(check: Check, answer: Answer) -> list[str]:
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    text = f"{head}\n{_seen(answer)}".lower()
    wrong = [] if answer.status == check.status else [f"{answer.status} instead of {check.status}"]
    wrong += [f"no {part.strip()}" for part in check.has if part.lower() not in text]
    return wrong + [f"{part} is there" for part in check.lacks if part.lower() in text]


async def _wrong_sessions(question: Question, peer: Peer, usual: Request) -> list[str]:
    same = [await ask(peer.port, question.host, usual) for _ in range(6)]
    others = [await ask(peer.port, question.host, Request(headers={"Cookie": f"route={number}"})) for number in range(12)]
    wrong = ["the session was not followed"] if len({answer.headers["x-pod"] for answer in same}) != 1 else []
    if any("set-cookie" in answer.headers for answer in same):
        wrong.append("a session that is there got a cookie again")
    if len({answer.headers["x-pod"] for answer in others}) == 1:
        wrong.append("all sessions are on one pod")
    return wrong


def _told(answer: Answer) -> dict[str, str]:
    """The headers that the pod says it was sent."""
    lines = _seen(answer).split("\n")[1:]
    return {name.lower(): value for name, found, value in (line.partition(": ") for line in lines) if found}


def _seen(answer: Answer) -> str:
    """What a pod says, which cannot put an end of a line in its answer as it is."""
    return answer.body.replace("%0D%0A", "\n")


def _with_cookie(request: Request, cookie: str) -> Request:
    if not cookie:
        return request
    return Request(request.path, request.method, {**request.headers, "Cookie": f"a=1; {cookie}"}, request.body)


async def _cookie(question: Question, peer: Peer) -> str:
    """A session's; nginx takes any text, and gives none itself."""
    if not question.follows_cookie:
        return ""
    answer = await ask(peer.port, question.host, Request())
    return answer.headers.get("set-cookie", "route=6f9a3c11d20be7845c3d").partition(";")[0]


class RefusedFigures(Exception):
    """One of the two does not do what is asked, so that a figure would say something untrue."""


async def figures_of(question: Question, peers: Mapping[str, Peer], given: argparse.Namespace) -> Figures:
    """Checks both, then measures."""
    texts = {}
    for name, peer in peers.items():
        cookie = await _cookie(question, peer)
        if wrong := await wrong_with(question, peer, cookie):
            raise RefusedFigures(f"{name} does not do what was asked: {'; '.join(wrong)}")
        texts[name] = _with_cookie(question.request, cookie).text(question.host)
    await _check_alike(question, peers)
    requests = max(8, int(given.requests * question.share) // 8 * 8)
    status = f"http/1.1 {question.status} ".encode()

    async def run(name: str, peer: Peer) -> int:
        wrong = await load(
            peer.port, texts[name], requests=requests, pipelined=given.pipelined, is_right=lambda head: head.startswith(status)
        )
        # What a limit refuses, it lets in again once a minute.
        if wrong > (1 if question.status == 503 else 0):
            raise RefusedFigures(f"{name} gave {wrong} of {requests} another answer than {question.status}")
        return requests

    return await measured(peers, run, rounds=given.rounds)


async def _check_alike(question: Question, peers: Mapping[str, Peer]) -> None:
    """Whether pods are told the same by both, but for what each says of its own connection."""
    if question.status != 200 or question.path != "/":
        return
    request = Request("/seen", headers=question.request.headers)
    told = {name: set(_told(await ask(peer.port, question.host, request))) - {"connection"} for name, peer in peers.items()}
    if told[OURS] != told[THEIRS]:
        raise RefusedFigures(f"pods are told {sorted(told[OURS] ^ told[THEIRS])} by one of the two only")


async def main(given: argparse.Namespace) -> None:
    """Prints the table, or JSON."""
    program = find_nginx()
    if program is None:
        sys.exit(MISSING)
    questions = [question for question in QUESTIONS if not given.only or question.name in given.only]
    start = time.monotonic()
    facts = {**machine(), "remora's haproxy": version_of(str(find_binary(None)), "-v"), "nginx": version_of(program, "-v")}
    say("\n".join(f"{name}: {value}" for name, value in facts.items()))
    found: dict[str, Any] = {}
    show = say if given.json else print
    async with running_peers(program, questions) as peers:
        show(f"\n{'microseconds of CPU a request':46}{'medians':>14}{'lowest':>16}{'ratio of the':>18}")
        show(f"{'':46}{OURS:>7}{THEIRS:>7}{OURS:>9}{THEIRS:>7}{'lowest':>9}{'median, rounds from to':>25}")
        for question in questions:
            try:
                figures = await figures_of(question, peers, given)
            except (RefusedFigures, OSError, asyncio.IncompleteReadError) as error:
                show(f"{question.what:46}refused: {error}")
                found[question.name] = {"what": question.what, "refused": str(error)}
                continue
            rounds = ratios(figures, OURS, THEIRS)
            ours, theirs, our_lowest, their_lowest = (
                of(figures[name]) for of in (statistics.median, min) for name in (OURS, THEIRS)
            )
            columns = f"{ours:7.1f}{theirs:7.1f}{our_lowest:9.1f}{their_lowest:7.1f}{our_lowest / their_lowest:9.2f}"
            show(f"{question.what:46}{columns}   {spread(rounds)}")
            found[question.name] = {
                "what": question.what,
                "microseconds": figures,
                "ratio": statistics.median(rounds),
                "ratio of the lowest": our_lowest / their_lowest,
            }
    say(f"\n{given.rounds} rounds of {given.requests} requests in {time.monotonic() - start:.0f} s")
    if given.json:
        print(json.dumps({**facts, "rounds": given.rounds, "requests": given.requests, "questions": found}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3200, help="of a round, to each peer; fewer where hashes are slow")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pipelined", type=int, default=1, help="requests that a connection sends before it reads")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[question.name for question in QUESTIONS], default=[])
    parser.add_argument("--json", action="store_true", help="all figures on stdout, the table on stderr")
    asyncio.run(main(parser.parse_args()))
