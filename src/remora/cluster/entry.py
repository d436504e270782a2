"""Where the cluster's entry, the Ingress controller's LoadBalancer Service, can be reached. Decides with the help of probes.

The default profile answers on 127.0.0.1, where `*.localhost` leads by itself; another profile on a loopback address of
its own, unless ports were asked for. Ports are 80 and 443 if this user may listen there, else 8080 and 8443, else free ones.
"""

from collections.abc import Callable, Sequence

import msgspec

from remora.cluster.ports import Unbindable
from remora.core.errors import UsageError

LOCALHOST = "127.0.0.1"

FindObstacle = Callable[[str, int], Unbindable | None]
FreePort = Callable[[str], int]


class Entry(msgspec.Struct, frozen=True):
    """Address and ports of the entry; `notes` say why a usual port was passed over."""

    address: str
    http_port: int
    https_port: int
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://{self.address}" + ("" if self.http_port == 80 else f":{self.http_port}")


class Wish(msgspec.Struct, frozen=True):
    """One port to decide: what was asked for now, what was used before (0: neither), and what is usual."""

    flag: str
    asked: int
    before: int
    usual: Sequence[int]


def decide_port(address: str, wish: Wish, *, find_obstacle: FindObstacle, free_port: FreePort) -> tuple[int, tuple[str, ...]]:
    """The port to listen on and notes for the person.

    Raises:
        UsageError: the port that was asked for cannot be had; the message says who has it and what to do.
    """
    if wish.asked:
        if obstacle := find_obstacle(address, wish.asked):
            raise UsageError(f"{obstacle}. {_next_step(obstacle, wish.flag)}")
        return wish.asked, ()
    notes: list[str] = []
    for port in dict.fromkeys((wish.before, *wish.usual) if wish.before else wish.usual):
        obstacle = find_obstacle(address, port)
        if obstacle is None:
            return port, tuple(notes)
        if obstacle.in_use or port == wish.before:
            notes.append(f"{obstacle}; choose another with {wish.flag} PORT")
    return free_port(address), tuple(notes)


def decide_entry(address: str, wishes: tuple[Wish, Wish], *, find_obstacle: FindObstacle, free_port: FreePort) -> Entry:
    """The entry from the wishes for HTTP and HTTPS.

    Raises:
        UsageError: as `decide_port`, or both would have the same port.
    """
    http, http_notes = decide_port(address, wishes[0], find_obstacle=find_obstacle, free_port=free_port)
    https, https_notes = decide_port(address, wishes[1], find_obstacle=find_obstacle, free_port=free_port)
    if http == https:
        raise UsageError(f"port {http} cannot be for both HTTP and HTTPS; choose others with --http-port and --https-port")
    return Entry(address, http, https, http_notes + https_notes)


def _next_step(obstacle: Unbindable, flag: str) -> str:
    if obstacle.in_use and obstacle.holder:
        return f"End that process (kill {obstacle.holder.pid}) or choose another port with {flag}."
    return f"Choose another port with {flag}."
