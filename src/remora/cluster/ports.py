"""Whether a TCP address can be listened on, and if not, who holds it. Reads /proc; decides nothing."""

import errno
import random
import socket
from pathlib import Path

import msgspec

_LISTENING = "0A"

_LASTING = range(10_000, 30_000)
"""Below the ports of Services (`nodePort`) and those that the kernel chooses (ip(7), `ip_local_port_range`). Of these, any
connection could have one while nobody listens there: before a server starts, or while it is started again."""

_TRIES = 100


class Holder(msgspec.Struct, frozen=True):
    """The process that listens on an address."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


class Unbindable(msgspec.Struct, frozen=True):
    """Why an address cannot be listened on."""

    address: str
    port: int
    in_use: bool
    """Somebody has it; otherwise the system does not permit it, or the address is not this machine's."""
    why: str
    holder: Holder | None = None

    def __str__(self) -> str:
        return f"{self.address}:{self.port} {self.why}"


def find_obstacle(address: str, port: int, *, before: Unbindable | None = None) -> Unbindable | None:
    """What keeps this user from listening there, or None.

    `before` is what an earlier look found. While that process lives it is taken for the one who has the port still: looking
    for it costs a thousand times as much as trying to listen.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of an earlier listener in TIME_WAIT are no obstacle, neither to HAProxy nor to us.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if before is not None and _still_holds(before, error):
                return before
            return _describe(address, port, error)
    return None


def free_port(address: str) -> int:
    """A port on which nobody listens at this moment, and which no connection is given by the kernel.

    Raises:
        OSError: the address is not this machine's, or all that were tried are taken.
    """
    for port in random.sample(_LASTING, _TRIES):
        try:
            with socket.create_server((address, port)):
                return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no free port was found on {address}")


def _describe(address: str, port: int, error: OSError) -> Unbindable:
    if error.errno == errno.EADDRINUSE:
        holder = find_holder(address, port)
        by = str(holder) if holder else "a process that this user may not see"
        return Unbindable(address, port, in_use=True, why=f"is in use by {by}", holder=holder)
    if error.errno == errno.EACCES:
        why = "may only be used by root (ports below net.ipv4.ip_unprivileged_port_start)"
        return Unbindable(address, port, in_use=False, why=why)
    return Unbindable(address, port, in_use=False, why=f"cannot be used: {error.strerror}")


def _still_holds(before: Unbindable, error: OSError) -> bool:
    if before.in_use is not (error.errno == errno.EADDRINUSE):
        return False
    return before.holder is None or _command(Path(f"/proc/{before.holder.pid}")) == before.holder.command


def find_holder(address: str, port: int) -> Holder | None:
    """The process that listens on the address or on all addresses; None if it cannot be known."""
    inodes = _listening_inodes(address, port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has_file(process, wanted):
            return Holder(int(process.name), _command(process))
    return None


def _listening_inodes(address: str, port: int) -> set[str]:
    packed = socket.inet_aton(address)[::-1].hex().upper()
    # An IPv6 socket on :: listens for IPv4 too.
    places = {f"{packed}:{port:04X}", f"{'0' * 8}:{port:04X}", f"{'0' * 32}:{port:04X}"}
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if columns[1] in places and columns[3] == _LISTENING:
                inodes.add(columns[9])
    return inodes


def _has_file(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(file.readlink()) in wanted for file in (process / "fd").iterdir())
    except OSError:  # not ours to see, or gone
        return False


def _command(process: Path) -> str:
    try:
        words = process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        return " ".join(words).strip()[:120] or process.joinpath("comm").read_text().strip()
    except OSError:
        return "a process"
