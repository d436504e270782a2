"""The table as HAProxy's configuration. Pure.

Runtime commands keep HAProxy equal to what this would write, so the file is also right for a worker that starts later.
"""

from collections.abc import Iterator
from itertools import groupby

from remora.cluster.services.table import Backend, Listener, Table
from remora.haproxy.grammar import Directive, Section, address_and_port, directive, render_sections, section

_DAY = "24h"


def configure(table: Table, *, socket: str) -> str:
    """The whole file; `socket` is the path of the runtime socket."""
    return render_sections([_global(socket), _defaults(), *_frontends(table.listeners), *map(_backend, table.backends)])


def _global(socket: str) -> Section:
    return section(
        "global",
        lines=(
            # `expose-fd listeners` hands the listening sockets to the next worker: no connection is refused at a reload.
            directive("stats", "socket", socket, "mode", "600", "level", "admin", "expose-fd", "listeners"),
            directive("stats", "timeout", "1m"),
            directive("hard-stop-after", _DAY),
        ),
    )


def _defaults() -> Section:
    return section(
        "defaults",
        lines=(
            directive("mode", "tcp"),
            directive("timeout", "connect", "3s"),
            # kube-proxy has no idle timeout of its own; a day bounds what a forgotten connection costs.
            directive("timeout", "client", _DAY),
            directive("timeout", "server", _DAY),
            directive("retries", "3"),
            # Every retry goes to another endpoint: one that died a moment ago refuses, and the client does not notice.
            directive("option", "redispatch", "1"),
            directive("option", "clitcpka"),
        ),
    )


def _frontends(listeners: tuple[Listener, ...]) -> Iterator[Section]:
    for backend, group in groupby(sorted(listeners, key=lambda listener: listener.backend), lambda listener: listener.backend):
        binds = [directive("bind", address_and_port(listener.address, listener.port)) for listener in group]
        yield section("frontend", backend, lines=(*binds, directive("default_backend", backend)))


def _backend(backend: Backend) -> Section:
    return section("backend", backend.name, lines=(*_balance(backend), *_servers(backend)))


def _balance(backend: Backend) -> Iterator[Directive]:
    if backend.by_client_address:
        yield directive("balance", "source")
        yield directive("hash-type", "consistent")
    else:
        yield directive("balance", "random")


def _servers(backend: Backend) -> Iterator[Directive]:
    for server in backend.servers:
        yield directive("server", server.name, address_and_port(server.address, server.port))
