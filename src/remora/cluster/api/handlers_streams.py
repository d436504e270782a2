"""`pods/exec`, `pods/attach` and `pods/portforward`: what is asked for, and the session that answers it."""

import asyncio
from collections.abc import Awaitable, Callable

from remora.cluster.api.errors import Object, bad_request, internal_error
from remora.cluster.api.handlers import Call
from remora.cluster.api.handlers_subresources import container_of
from remora.cluster.api.http_message import Response
from remora.cluster.api.node import Console
from remora.cluster.api.streams.channels import choose
from remora.cluster.api.streams.connection import Connection, Session
from remora.cluster.api.streams.multiplex import Multiplex, SpdyMultiplex, WebSocketMultiplex
from remora.cluster.api.streams.port_forward import Link, forward_channels, forward_spdy
from remora.cluster.api.streams.remote_command import Command, Wanted, run_command

_SPDY = "spdy/3.1"
_SPDY_VERSIONS = {"v5.channel.k8s.io": 5, "v4.channel.k8s.io": 4, "v3.channel.k8s.io": 3, "v2.channel.k8s.io": 2}
_FORWARD = "portforward.k8s.io"
_TUNNEL = f"SPDY/3.1+{_FORWARD}"
_DIAL_TIMEOUT = 10.0
_MOST_PORT = 65535


async def execute(call: Call) -> Response:
    pod, container, wanted = _target(call)
    command = call.request.every("command")
    if not command:
        raise bad_request("you must specify at least one command for the container")

    async def run(console: Console) -> int:
        return await call.api.node.execute(pod, container, command, console)

    return Response(session=_command_session(call, wanted, run))


async def attach(call: Call) -> Response:
    pod, container, wanted = _target(call)

    async def run(console: Console) -> int:
        await call.api.node.attach(pod, container, console)
        return 0

    return Response(session=_command_session(call, wanted, run))


async def forward_ports(call: Call) -> Response:
    pod = call.find()
    _check_scheduled(pod)
    address = (pod.get("status") or {}).get("podIP")
    if (pod.get("status") or {}).get("phase") != "Running" or not address:
        raise internal_error(f"unable to upgrade connection: pod not found or not running: {pod['metadata']['name']}")

    async def dial(port: int) -> Link:
        async with asyncio.timeout(_DIAL_TIMEOUT):
            return await asyncio.open_connection(str(address), port)

    async def tunnelled(connection: Connection) -> None:
        await forward_spdy(connection, dial)

    offered = _offered(call, "sec-websocket-protocol")
    if _upgrade(call) == _SPDY:
        return Response(session=Session(_FORWARD, tunnelled))
    if _TUNNEL in offered:
        return Response(session=Session(_TUNNEL, tunnelled))
    return Response(session=_channel_forwarding(call, dial))


def _channel_forwarding(call: Call, dial: Callable[[int], Awaitable[Link]]) -> Session:
    codec = choose(_offered(call, "sec-websocket-protocol"))
    if codec is None:
        raise bad_request("none of the offered WebSocket protocols is known")
    ports = [_port(text) for value in call.request.every("ports") for text in value.split(",")]
    if not ports:
        raise bad_request('query parameter "ports" is required')

    async def run(connection: Connection) -> None:
        await forward_channels(connection, codec, ports, dial)

    return Session(codec.name, run)


def _command_session(call: Call, wanted: Wanted, command: Command) -> Session:
    if _upgrade(call) == _SPDY:
        offered = _offered(call, "x-stream-protocol-version")
        name = next((name for name in offered if name in _SPDY_VERSIONS), "v4.channel.k8s.io")
        return _session(name, lambda connection: SpdyMultiplex(connection, _SPDY_VERSIONS[name]), wanted, command)
    codec = choose(_offered(call, "sec-websocket-protocol"))
    if codec is None:
        raise bad_request("none of the offered WebSocket protocols is known")
    return _session(codec.name, lambda connection: WebSocketMultiplex(connection, codec), wanted, command)


def _session(name: str, multiplex: Callable[[Connection], Multiplex], wanted: Wanted, command: Command) -> Session:
    async def run(connection: Connection) -> None:
        await run_command(multiplex(connection), wanted, command)

    return Session(name, run)


def _target(call: Call) -> tuple[Object, str, Wanted]:
    """The container that is meant and what the client wants of it.

    Raises:
        ApiError: as Kubernetes words it, before anything is upgraded.
    """
    request, pod = call.request, call.find()
    container = container_of(pod, request.query.get("container", ""))
    _check_scheduled(pod)
    tty = request.is_set("tty")
    wanted = Wanted(
        stdin=request.is_set("stdin"),
        stdout=request.is_set("stdout"),
        stderr=request.is_set("stderr") and not tty,
        tty=tty,
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    call.api.node.check_running(pod, container)
    _upgrade(call)
    return pod, container, wanted


def _check_scheduled(pod: Object) -> None:
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")


def _upgrade(call: Call) -> str:
    """To what the connection is to be upgraded, in lower case.

    Raises:
        ApiError: BadRequest; to nothing that is known.
    """
    wanted = call.request.headers.get("upgrade", "").lower()
    if wanted not in ("websocket", _SPDY):
        raise bad_request("Upgrade request required")
    return wanted


def _offered(call: Call, header: str) -> list[str]:
    return [name.strip() for name in call.request.headers.get(header, "").split(",") if name.strip()]


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST_PORT:
        raise bad_request(f"unable to parse {text!r} as a port")
    return int(text)
