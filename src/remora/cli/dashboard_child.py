"""The dashboard on the controller's own port: a process beside the controller, which asks it over HTTP as anybody else would.

It renders pages and reads clusters, which takes tenths of seconds; in the controller's process endpoints would wait for that.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 60.0
_GRACE = 3.0


def child_arguments(*, host: str, port: int, health_host: str, health_port: int, kubeconfig: str, context: str) -> list[str]:
    """The command of the process."""
    asked = "127.0.0.1" if health_host in ("", "0.0.0.0", "::") else health_host  # noqa: S104 - where to ask, not to listen
    address = f"[{asked}]" if ":" in asked else asked
    words = ["dashboard", "--tokens", "--no-open", "--host", host, "--port", str(port)]
    words += ["--controller", f"http://{address}:{health_port}"]
    return [*words, *(["--kubeconfig", kubeconfig] if kubeconfig else []), *(["--context", context] if context else [])]


async def run_child(arguments: Sequence[str]) -> None:
    """Runs the process, again when it ends, until cancelled."""
    pause = 1.0
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "remora", *arguments, stdin=asyncio.subprocess.DEVNULL
        )
        begun = asyncio.get_running_loop().time()
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)
        pause = 1.0 if asyncio.get_running_loop().time() - begun > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
        _log.warning("the dashboard has ended with code %s; it starts again in %g s", code, pause)
        await asyncio.sleep(pause)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            process.kill()
