"""Probes' and hooks' ways to ask a container: HTTP, TCP, gRPC, a command; and to wait."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from remora.cluster.kubelet.probes import Verdict, find_port, http_target, probe_http, probe_tcp
from remora.cluster.kubelet.resolving import in_image

_SHOWN = 1024


class Target(msgspec.Struct, frozen=True):
    """The running container that is asked."""

    container: Mapping[str, Any]
    address: str
    env: Mapping[str, str]
    workdir: Path
    session: aiohttp.ClientSession


async def ask(handler: Mapping[str, Any], target: Target, *, timeout: float | None) -> Verdict:
    """Carries out the one action that a probe or hook contains; a container without any succeeds."""
    if action := handler.get("httpGet"):
        request = http_target(action, target.container, target.address)
        if request is None:
            return Verdict(False, f"couldn't find port: {action.get('port')}")
        return await probe_http(target.session, *request, timeout=timeout)
    if action := handler.get("tcpSocket"):
        port = find_port(action.get("port"), target.container)
        if port is None:
            return Verdict(False, f"couldn't find port: {action.get('port')}")
        return await probe_tcp(action.get("host") or target.address, port, timeout=timeout)
    if action := handler.get("grpc"):
        # HTTP/2 takes longer to import than all of the kubelet, and few need it.
        from remora.cluster.kubelet.grpcprobe import probe_grpc

        return await probe_grpc(target.address, int(action["port"]), action.get("service") or "", timeout=timeout)
    if action := handler.get("exec"):
        return await _execute(action.get("command") or (), target, timeout=timeout)
    if action := handler.get("sleep"):
        await asyncio.sleep(float(action.get("seconds") or 0))
    return Verdict(True)


async def _execute(command: Sequence[str], target: Target, *, timeout: float | None) -> Verdict:
    """Runs a command in the container's environment; what it prints is the message of a failure."""
    try:
        process = await asyncio.create_subprocess_exec(
            *in_image(command, target.env),
            env=dict(target.env),
            cwd=target.workdir,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError, TypeError) as error:
        return Verdict(False, f"command {list(command)} cannot be executed: {error}")
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    except TimeoutError:
        return Verdict(False, f"command timed out: {' '.join(command)} timed out after {timeout:g}s")
    finally:
        await _kill(process)
    if process.returncode == 0:
        return Verdict(True)
    return Verdict(False, output[:_SHOWN].decode(errors="replace").strip() or f"command exited with code {process.returncode}")


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        # Reads the rest, so that the pipe's transport is closed too.
        await process.communicate()
