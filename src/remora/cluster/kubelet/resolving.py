"""How a pod's processes come to ask the cluster's DNS.

libc asks the servers of /etc/resolv.conf, of which there is one on a machine. Where this user may have mount namespaces (root,
or whoever may have user namespaces), each process gets one in which that file is the pod's own; nothing else differs.
resolv.conf names no ports, so this also takes a DNS that listens on port 53. Where either is missing, processes keep the
machine's file, and their environment tells them where to ask.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from remora.cluster.dns.resolv import resolv_conf
from remora.cluster.images.copying import owned_paths
from remora.cluster.kubelet.images import Image
from remora.cluster.kubelet.placing import placed

RESOLV_CONF = "REMORA_RESOLV_CONF"
"""Environment variable: the pod's own resolv.conf."""
_MACHINE = Path("/etc/resolv.conf")
_PATIENCE = 10.0

_ENTER = """
import ctypes, os, sys
file, *argv = sys.argv[1:]
libc, uid, gid = ctypes.CDLL(None), os.getuid(), os.getgid()
if libc.unshare(0x20000 | (0x10000000 if uid else 0)) == 0:
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as out:
                out.write(text)
    libc.mount(None, b"/", None, 0x84000, None)
    libc.mount(os.fsencode(file), b"/etc/resolv.conf", None, 0x1000, None)
try:
    os.execvp(argv[0], argv)
except OSError as error:
    sys.exit(f"{argv[0]}: {error.strerror}")
"""
"""Run in the new process, before the command: unshare(CLONE_NEWNS, and CLONE_NEWUSER unless root). Later mounts of the machine
still reach the process (MS_REC | MS_SLAVE), its own mount (MS_BIND) reaches nobody."""


class PodDns(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cluster's DNS is: `place` with its port, `server` the address whose port 53 it has; "" for none."""

    place: str = ""
    server: str = ""
    zone: str = "cluster.local"


def dns_environment(dns: PodDns, pod: Mapping[str, Any], directory: Path) -> dict[str, str]:
    """What a process is told, after writing the pod's resolv.conf into its folder."""
    told = {"REMORA_DNS": dns.place} if dns.place else {}
    if not dns.server:
        return told
    file = directory / "resolv.conf"
    machine = _MACHINE.read_text(errors="replace") if _MACHINE.is_file() else ""
    text = resolv_conf(pod, machine, server=dns.server, zone=dns.zone)
    # Written in place: processes that run have this very file mounted.
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
    return {**told, RESOLV_CONF: str(file)}


def resolving(command: Sequence[str], *, env: Mapping[str, str], workdir: Path) -> Sequence[str]:
    """The command, made to have the pod's resolv.conf if that can be; what cannot be executed stays as it is."""
    file = env.get(RESOLV_CONF)
    if not file or not command or not can_mount():
        return command
    program = command[0]
    if shutil.which(workdir / program if "/" in program else program, path=env.get("PATH", os.defpath)) is None:
        return command
    return entering(file, command)


def entering(file: str, command: Sequence[str]) -> list[str]:
    """The command in a mount namespace of its own."""
    return [sys.executable, "-I", "-S", "-c", _ENTER, file, *command]


def in_image(command: Sequence[str], env: Mapping[str, str]) -> Sequence[str]:
    """A command for a container that runs (exec, a probe, a hook), with paths of its built image where they are."""
    root = env.get("REMORA_IMAGE_ROOT")
    if not root or not Path(root).is_dir():
        return command
    image = Image(name="", command=(), root=root, owned=tuple(owned_paths(Path(root))))
    return [placed(word, image) for word in command]


@cache
def can_mount() -> bool:
    """Whether this user's processes can have a resolv.conf of their own: tried once, for some 50 ms."""
    show = [sys.executable, "-I", "-S", "-c", "print(open('/etc/resolv.conf').read(), end='')"]
    with tempfile.NamedTemporaryFile("w", prefix="remora-resolv-") as file:
        file.write(wanted := "# tried by remora\n")
        file.flush()
        try:
            found = subprocess.run(entering(file.name, show), capture_output=True, text=True, timeout=_PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return found.stdout == wanted
