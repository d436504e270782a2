"""Facts about the local clusters of this user."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from remora.cli.api import Api
from remora.cli.doctoring.machine import read_port
from remora.cluster.lock import find_runner
from remora.cluster.profile import Profile, find_profile, home
from remora.core.errors import RemoraError
from remora.report.doctor.machine import PortFacts
from remora.report.doctor.profiles import ProfileFacts


def read_profiles() -> list[ProfileFacts]:
    """Every profile, whatever state it is in."""
    return [_profile(path) for path in sorted(home().iterdir()) if (path / "profile.json").exists()] if home().is_dir() else []


def read_profile_ports() -> Iterator[PortFacts]:
    """The ports that profiles which do not run have chosen."""
    for profile in _readable():
        if find_runner(profile) is None:
            choices = profile.choices
            for port, purpose in ((choices.api_port, "API server"), (choices.http_port, "HTTP"), (choices.https_port, "HTTPS")):
                address = "127.0.0.1" if purpose == "API server" else choices.entry_address or "127.0.0.1"
                if port:
                    yield read_port(address, port, f"{purpose} of profile {profile.name}")


def _readable() -> Iterator[Profile]:
    for path in sorted(home().iterdir()) if home().is_dir() else ():
        with suppress(RemoraError):
            if profile := find_profile(path.name):
                yield profile


def _profile(path: Path) -> ProfileFacts:
    try:
        profile = find_profile(path.name)
    except RemoraError as error:
        return ProfileFacts(path.name, str(path), unreadable=str(error))
    if profile is None:
        return ProfileFacts(path.name, str(path), unreadable="profile.json has gone")
    pid = find_runner(profile)
    if pid is None:
        return ProfileFacts(profile.name, str(path), leftovers=tuple(_processes_of(profile)))
    return ProfileFacts(profile.name, str(path), pid=pid, answers=_answers(profile))


def _answers(profile: Profile) -> bool:
    try:
        return Api(profile.kubeconfig).is_ready()
    except RemoraError:
        return False


def _processes_of(profile: Profile) -> Iterator[int]:
    """Processes that were started for the profile's pods, by their environment or their command line."""
    wanted = str(profile.directory).encode() + b"/"
    for entry in sorted(Path("/proc").iterdir()):
        if entry.name.isdigit():
            with suppress(OSError):
                # A shell in that directory has the path too, but not as a pod has it.
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes()
                is_pod = b"REMORA_POD_UID=" in environment and wanted in environment
                if is_pod or (b"haproxy" in command.partition(b"\0")[0] and wanted in command):
                    yield int(entry.name)
