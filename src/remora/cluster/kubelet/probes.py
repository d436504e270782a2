"""Probes: is a container started, alive, ready? The numbers are the pod spec's, the rules the kubelet's.

A container without a readiness probe is ready in Kubernetes as soon as it runs, so a server that needs a second to begin to
listen gets traffic too early there. Here such a container becomes ready when its port accepts a TCP connection: the first port
that it declares; if it declares none, the one it is told by `PORT`, which it is given ten seconds to use.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from remora.cluster.controllers.endpoints_of import find_named_port
from remora.cluster.kubelet.environment import DEFAULT_PORT, first_port

UNDECLARED_PORT_GRACE = 10.0
_QUICK = 0.015


class Timing(msgspec.Struct, frozen=True):
    """A probe's numbers (core/v1 `Probe`), times in seconds."""

    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3


class Verdict(msgspec.Struct, frozen=True):
    """`message` says why, if it is not a success."""

    is_success: bool
    message: str = ""


Check = Callable[[], Awaitable[Verdict]]


def timing(probe: Mapping[str, Any]) -> Timing:
    """The numbers, with Kubernetes' defaults for what is absent or 0."""
    return Timing(
        initial_delay=float(probe.get("initialDelaySeconds") or 0),
        period=float(probe.get("periodSeconds") or 10),
        timeout=float(probe.get("timeoutSeconds") or 1),
        success_threshold=int(probe.get("successThreshold") or 1),
        failure_threshold=int(probe.get("failureThreshold") or 3),
    )


class Count(msgspec.Struct, frozen=True):
    """How often in a row a probe succeeded or failed, and what that means: True, False, or None as long as it is undecided."""

    successes: int = 0
    failures: int = 0
    result: bool | None = None

    def after(self, verdict: Verdict, timing: Timing) -> "Count":
        if verdict.is_success:
            count = self.successes + 1
            return Count(count, 0, True if count >= timing.success_threshold else self.result)
        count = self.failures + 1
        return Count(0, count, False if count >= timing.failure_threshold else self.result)


async def watch(check: Check, timing: Timing, *, unhealthy: Callable[[str], None], result: Callable[[bool], None]) -> None:
    """Probes for ever; `result` is called when the outcome changes, `unhealthy` with the message of each failure."""
    await asyncio.sleep(timing.initial_delay)
    count = Count()
    while True:
        verdict = await check()
        if not verdict.is_success:
            unhealthy(verdict.message)
        before, count = count.result, count.after(verdict, timing)
        if count.result is not None and count.result != before:
            result(count.result)
        await asyncio.sleep(timing.period)


async def wait_until_listening(address: str, container: Mapping[str, Any]) -> None:
    """Returns when the container's port accepts a connection, or when an undeclared port had its time."""
    declared = first_port(container)
    if declared is None and container.get("stdin"):
        return  # somebody will talk to it, who would wait for nothing
    loop = asyncio.get_running_loop()
    started = loop.time()
    pause = _QUICK
    while not (await probe_tcp(address, declared or DEFAULT_PORT, timeout=1.0)).is_success:
        elapsed = loop.time() - started
        if declared is None and elapsed > UNDECLARED_PORT_GRACE:
            return
        # Quick while it matters; a server that needs minutes does not notice a second.
        pause = _QUICK if elapsed < 3 else min(pause * 1.2, 1.0)
        await asyncio.sleep(pause)


async def probe_tcp(address: str, port: int, *, timeout: float | None) -> Verdict:
    """Whether something accepts a connection."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return Verdict(False, f"dial tcp {address}:{port}: i/o timeout")
    except OSError as error:
        return Verdict(False, _dialed(address, port, error))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Verdict(True)


def _dialed(address: str, port: int | None, error: OSError) -> str:
    """Why there is no connection, in Go's words."""
    reason = (error.strerror or str(error)).lower()
    reason = "connection refused" if isinstance(error, ConnectionRefusedError) else reason
    return f"dial tcp {address}:{port}: connect: {reason}"


async def probe_http(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, timeout: float | None) -> Verdict:
    """Whether a GET is answered with a status from 200 to 399. Certificates are not verified, as in the kubelet."""
    try:
        async with asyncio.timeout(timeout), session.get(url, headers=headers, ssl=False, max_redirects=10) as response:
            status = response.status
    except TimeoutError:
        return Verdict(False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
    except aiohttp.ClientConnectorError as error:
        return Verdict(False, f'Get "{url}": {_dialed(error.host, error.port, error.os_error)}')
    except aiohttp.ServerDisconnectedError:
        return Verdict(False, f'Get "{url}": EOF')
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Verdict(False, f'Get "{url}": {error}')
    if 200 <= status < 400:
        return Verdict(True)
    return Verdict(False, f"HTTP probe failed with statuscode: {status}")


def http_target(action: Mapping[str, Any], container: Mapping[str, Any], address: str) -> tuple[str, dict[str, str]] | None:
    """URL and headers of an `httpGet`; None if its port's name is not known."""
    port = find_port(action.get("port"), container)
    if port is None:
        return None
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    headers |= {header["name"]: header["value"] for header in action.get("httpHeaders") or ()}
    return f"{scheme}://{action.get('host') or address}:{port}/{path.removeprefix('/')}", headers


def find_port(port: int | str | None, container: Mapping[str, Any]) -> int | None:
    """A probe's port by number or by name."""
    if isinstance(port, int):
        return port
    if isinstance(port, str) and port.isdecimal():
        return int(port)
    return find_named_port([container], port) if port else None
