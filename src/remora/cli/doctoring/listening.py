"""Who listens on a port of this machine, from /proc (proc(5), proc_net(5))."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import msgspec

_LISTENING = "0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


class Listener(msgspec.Struct, frozen=True):
    """A listening socket; `inode` is how processes' descriptors name it."""

    address: str
    port: int
    inode: int


def read_listeners() -> list[Listener]:
    """All listening TCP sockets of this network namespace; none where there is no /proc."""
    found: list[Listener] = []
    for table in _TABLES:
        with suppress(OSError):
            found += parse_listeners(Path(table).read_text())
    return found


def parse_listeners(table: str) -> Iterator[Listener]:
    """The listening sockets of a table of the kernel. Pure."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING:
            address, _, port = fields[1].partition(":")
            yield Listener(_address(address), int(port, 16), int(fields[9]))


def holders(listeners: list[Listener], address: str, port: int) -> list[Listener]:
    """Those that keep somebody from listening at an address. Pure."""
    everywhere = ("0.0.0.0", "::")  # noqa: S104
    return [
        one
        for one in listeners
        if one.port == port and (one.address == address or one.address in everywhere or address in everywhere)
    ]


def find_process(inode: int) -> tuple[int, str] | None:
    """The process with that socket, and its name; None if it is another user's, whose descriptors we may not see."""
    wanted = f"socket:[{inode}]"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _has(entry / "fd", wanted):
            with suppress(OSError):
                return int(entry.name), (entry / "comm").read_text().strip()
    return None


def _has(descriptors: Path, wanted: str) -> bool:
    with suppress(OSError):
        for descriptor in descriptors.iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) == wanted:
                    return True
    return False


def _address(text: str) -> str:
    """The kernel prints addresses as words in the machine's order of bytes."""
    raw = bytes.fromhex(text)
    words = [raw[place : place + 4][::-1] for place in range(0, len(raw), 4)]
    return str(ip_address(b"".join(words)))
