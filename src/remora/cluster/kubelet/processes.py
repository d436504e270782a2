"""Processes of the operating system: started in a session of their own, watched by pidfd, or found again after a restart.

A pidfd (Linux 5.3) becomes readable when its process ends, for children and others alike, so nothing polls.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from remora.cluster.kubelet.resolving import resolving


class Identity(msgspec.Struct, frozen=True):
    """A process beyond doubt: its id is reused some day, its id and start time (clock ticks since boot) together are not."""

    pid: int
    start: int


class StartFailed(Exception):
    """The command cannot be executed; the message is the container's."""


def find_identity(pid: int) -> Identity | None:
    """Who has this process id now, or None; a zombie counts as gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name, in parentheses, may hold anything; what follows the last one is regular (proc(5)).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


class Process:
    """A running process that leads its process group.

    `wait` gives its return code as `subprocess` does (negative: killed by that signal), or None for one that is not our child.
    """

    def __init__(
        self, identity: Identity, *, pidfd: int, child: "subprocess.Popen[bytes] | None", ends_group: bool = True
    ) -> None:
        self.identity = identity
        self._ends_group = ends_group
        self._pidfd = pidfd
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int | None] = self._loop.create_future()
        self._loop.add_reader(pidfd, self._has_ended)

    async def wait(self) -> int | None:
        return await asyncio.shield(self._ended)

    @property
    def is_running(self) -> bool:
        return not self._ended.done()

    def send(self, number: signal.Signals) -> None:
        """A signal to the process itself; nothing if it has ended."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill_group(self) -> None:
        """SIGKILL to the process and all that stayed in its group."""
        if self.is_running:
            self._kill_group()

    def let_go(self) -> None:
        """Stops watching; the process goes on."""
        if self.is_running:
            self._stop_watching()
            self._ended.cancel()
        if self._child is not None:
            # It outlives this object on purpose; `Popen` would warn and its later death would be init's to notice.
            self._child.returncode = 0 if self._child.returncode is None else self._child.returncode

    def _has_ended(self) -> None:
        # As long as the leader is not reaped, nobody else can have its group's number.
        if self._ends_group:
            self._kill_group()
        self._stop_watching()
        self._ended.set_result(self._child.wait() if self._child else None)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.identity.pid, signal.SIGKILL)

    def _stop_watching(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    workdir: Path,
    stdout: int,
    stderr: int,
    stdin: int = subprocess.DEVNULL,
    ends_group: bool = True,
) -> Process:
    """Starts a command; the file descriptors become its standard output, error and input.

    With `ends_group` what the command left in its process group ends with it.

    Raises:
        StartFailed: there is no such program or working directory, or it must not be executed.
    """
    if not workdir.is_dir():
        raise StartFailed(f'the working directory "{workdir}" does not exist')
    command = resolving(command, env=env, workdir=workdir)
    try:
        child = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=workdir,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        what = "executable file not found in $PATH" if "/" not in command[0] else "no such file or directory"
        raise StartFailed(f'exec: "{command[0]}": {what}') from None
    except (OSError, ValueError) as error:
        raise StartFailed(f'exec: "{command[0]}": {getattr(error, "strerror", None) or error}') from None
    # An unreaped child keeps its id, so there is no race here.
    identity = find_identity(child.pid) or Identity(child.pid, 0)
    return Process(identity, pidfd=os.pidfd_open(child.pid), child=child, ends_group=ends_group)


def adopt(identity: Identity) -> Process | None:
    """Watches a process that a former cluster process started, or None if it has ended."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except (ProcessLookupError, OSError):
        return None
    # Compared after opening: from here on the pidfd means this process and no other.
    if find_identity(identity.pid) != identity:
        os.close(pidfd)
        return None
    return Process(identity, pidfd=pidfd, child=None)


def find_marked(variable: str) -> dict[str, list[Identity]]:
    """Processes of this user by the value of an environment variable that they were started with."""
    found: dict[str, list[Identity]] = {}
    wanted = f"{variable}=".encode()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue  # gone meanwhile, or another user's
        values = [part.removeprefix(wanted) for part in environment.split(b"\0") if part.startswith(wanted)]
        if values and (identity := find_identity(int(entry.name))):
            found.setdefault(values[0].decode(errors="replace"), []).append(identity)
    return found


def find_session(leader: int) -> list[Identity]:
    """All processes of the session that this process leads."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] not in "ZX":
                    found.append(Identity(int(entry.name), int(fields[19])))
    return found


def send_to(identity: Identity, number: signal.Signals) -> None:
    """A signal to a process, if it is still the same."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        pidfd = os.pidfd_open(identity.pid)
        try:
            if find_identity(identity.pid) == identity:
                signal.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)
