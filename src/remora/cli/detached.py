"""`remora up --detach`: starts the cluster as a process of its own and waits until it can be used."""

import subprocess
import sys
import time

from remora.cli.api import Api
from remora.cli.render import NOTE, say
from remora.cli.render.started import Started, entry_of, show_started
from remora.cluster.bootstrap import CONTROLLER_NAMESPACE, controller_obstacle
from remora.cluster.lock import already_running, claimed_indexes, find_runner
from remora.cluster.profile import Profile, find_profile, make_profile
from remora.cluster.reach import find_fault
from remora.cluster.start import Ports
from remora.core.errors import RemoraError, UsageError

_ERROR = "remora: "
"""Begins an error that the cluster's own process told."""


def up_detached(
    name: str,
    ports: Ports,
    *,
    wait: bool,
    timeout: float,
    authorization_mode: str = "AlwaysAllow",
    forwards_dns: bool = True,
) -> None:
    """Returns when the API server answers and, with `wait`, the Ingress controller is ready.

    Whoever interrupts the waiting is told that the cluster goes on.

    Raises:
        UsageError: the profile runs already.
        RemoraError: it ended, or was not ready in time; the message ends with what it logged.
    """
    profile = make_profile(name, claimed=claimed_indexes())
    if find_runner(profile):
        raise UsageError(already_running(profile))
    process = _spawn(profile, ports, authorization_mode, forwards_dns=forwards_dns)
    say(f"starting profile {name} (pid {process.pid}), log in {profile.log}")
    try:
        why = _wait(profile, process, wait_controller=wait, timeout=timeout)
    except KeyboardInterrupt:
        say(f"profile {name} goes on starting in the background (pid {process.pid}); end it with `remora down{profile.option}`")
        raise
    for note in _notes(profile):
        say(note)
    if why:
        say(f"the Ingress controller is not ready after {timeout:.0f} s: {why}")
    show_started(Started.read(_again(name)), detached=True)


def _spawn(profile: Profile, ports: Ports, authorization_mode: str, *, forwards_dns: bool) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "remora", "up", "--profile", profile.name, "--no-wait"]
    command += [f"--api-port={ports.api}", f"--http-port={ports.http}", f"--https-port={ports.https}"]
    command += [f"--authorization-mode={authorization_mode}"]
    command += [] if forwards_dns else ["--no-dns-forward"]
    profile.kubeconfig.unlink(missing_ok=True)
    profile.log.write_bytes(b"")
    # To its end, since another `remora up` may begin at the same moment and write there too.
    with profile.log.open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _wait(profile: Profile, process: "subprocess.Popen[bytes]", *, wait_controller: bool, timeout: float) -> str:
    """Why the controller is not ready, "" if it is or nobody waits for it."""
    deadline = time.monotonic() + timeout
    why = "the API server does not answer"
    answered = False
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UsageError(_last_words(profile)) if process.returncode == 2 else RemoraError(_last_words(profile))
        if find_runner(profile) == process.pid and profile.kubeconfig.exists():
            answered, why = _look(profile, wait_controller=wait_controller)
            if not why:
                return ""
        time.sleep(0.1)
    if not answered:
        raise RemoraError(f"{why} after {timeout:.0f} s; see {profile.log}")
    return why


def _look(profile: Profile, *, wait_controller: bool) -> tuple[bool, str]:
    """Whether the API server answers, and what is still missing."""
    try:
        api = Api(profile.kubeconfig)
        if not api.is_ready():
            return False, "the API server is not ready"
        if not wait_controller:
            return True, ""
        obstacle = controller_obstacle(api.read(f"/api/v1/namespaces/{CONTROLLER_NAMESPACE}/pods")["items"])
        return True, obstacle or find_fault(entry_of(_again(profile.name)))
    except RemoraError as error:
        return False, str(error)


def _again(name: str) -> Profile:
    """The profile with the ports that the cluster chose."""
    profile = find_profile(name)
    if profile is None:
        raise RemoraError(f"profile {name} was removed while it started")
    return profile


def _notes(profile: Profile) -> list[str]:
    """What the cluster has to say about its ports."""
    return [line for line in profile.log.read_text(errors="replace").splitlines() if line.startswith(NOTE)]


def _last_words(profile: Profile) -> str:
    # Another `remora up` of the same moment may have said much since.
    lines = profile.log.read_text(errors="replace").splitlines()
    if errors := [line for line in lines if line.startswith(_ERROR)]:
        return errors[-1].removeprefix(_ERROR)
    return "it did not start:\n" + "\n".join(lines[-15:])
