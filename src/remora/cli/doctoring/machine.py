"""Facts about this machine. Each function reads one thing, and any of them may fail or hang: `examine` bounds them."""

import json
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

from remora.apply.binary import find_binary
from remora.cli.doctoring.listening import find_process, holders, read_listeners
from remora.cluster.addresses import Network, is_of_a_cluster
from remora.cluster.profile import home
from remora.core.errors import HAProxyMissing
from remora.report.doctor.machine import DirectoryFacts, HAProxyFacts, PortFacts, Version

_CONTROLLER_PORTS = (80, 443, 10254)
_TIMEOUT = 5.0


def read_python() -> tuple[int, ...]:
    return tuple(sys.version_info[:3])


def read_haproxy(given: str) -> HAProxyFacts:
    """The HAProxy that would be used."""
    try:
        path = find_binary(given or None)
    except HAProxyMissing as error:
        return HAProxyFacts(refusal=str(error))
    told = subprocess.run([path, "-vv"], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    return HAProxyFacts(str(path), told.stdout)


def read_kubectl() -> Version | None:
    """The version of kubectl on PATH."""
    if shutil.which("kubectl") is None:
        return None
    command = ["kubectl", "version", "--client", "--output=json"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    return parse_version(json.loads(told.stdout)["clientVersion"])


def parse_version(said: dict[str, str]) -> Version | None:
    """Major and minor version as Kubernetes programs say them; some write a plus sign behind the number."""
    numbers = [re.match(r"\d+", said.get(name, "")) for name in ("major", "minor")]
    major, minor = numbers
    return (int(major[0]), int(minor[0])) if major and minor else None


def read_ports() -> list[PortFacts]:
    """The ports that `remora controller` has unless told otherwise."""
    return [read_port("0.0.0.0", port, "`remora controller` on this machine") for port in _CONTROLLER_PORTS]  # noqa: S104


def read_port(address: str, port: int, purpose: str) -> PortFacts:
    """One port at one address."""
    found = sorted(holders(read_listeners(), address, port), key=lambda one: is_of_a_cluster(one.address))
    if found:
        if is_of_a_cluster(found[0].address):
            return PortFacts(address, port, purpose, cluster=found[0].address)
        process = find_process(found[0].inode)
        who = f"{process[1]} (pid {process[0]})" if process else "a process of another user"
        return PortFacts(address, port, purpose, holder=who)
    return PortFacts(address, port, purpose, refusal=_refusal(address, port))


def _refusal(address: str, port: int) -> str:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((address, port))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def read_descriptors() -> tuple[int, int]:
    """The soft and the hard limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft, hard


def read_loopback() -> list[str]:
    """Addresses of the local cluster that cannot be bound, each with why."""
    networks = (Network(0), Network(150))
    addresses = [str(net[1]) for network in networks for net in (network.pods, network.services, network.load_balancers)]
    return [f"{address} ({why})" for address in addresses if (why := _refusal(address, 0))]


def read_directories() -> list[DirectoryFacts]:
    """Where local clusters keep their state."""
    return [read_directory(home())]


def read_directory(path: Path) -> DirectoryFacts:
    """The directory, or what it would be made in."""
    found = path
    while not found.exists() and found != found.parent:
        found = found.parent
    if not os.access(found, os.W_OK | os.X_OK):
        owner = found.stat().st_uid
        return DirectoryFacts(str(found), refusal=f"it belongs to user {owner}, and this is user {os.getuid()}")
    room = os.statvfs(found)
    return DirectoryFacts(
        str(found),
        free=room.f_bavail * room.f_frsize,
        free_inodes=room.f_favail if room.f_files else 1,
        is_open_to_others=found == path and bool(found.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)) and _holds_keys(found),
    )


def _holds_keys(directory: Path) -> bool:
    """Whether a profile in it can be entered by others, too: each profile's own directory is closed to them."""
    return any(entry.is_dir() and entry.stat().st_mode & stat.S_IXOTH for entry in directory.iterdir())
