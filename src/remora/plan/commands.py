"""Commands of HAProxy's runtime API (management guide, section 9.3), and which reply means that they were done."""

import re
from collections.abc import Iterable, Iterator, Mapping

from remora.haproxy.command import PREPARED_VERSION, Command
from remora.haproxy.configuration import WEIGHT, Server
from remora.haproxy.grammar import address_and_port
from remora.haproxy.pool import Slot
from remora.model import FileKind, UpstreamFile

PAYLOAD_ENTRIES = 200
"""Entries of one `add map`; a command with its payload must fit into `tune.bufsize`, 16 kB, as well."""

PAYLOAD_BYTES = 12_000


def escape(word: str) -> str:
    """A word of a command line: blanks, semicolons and backslashes lose their meaning behind a backslash."""
    return re.sub(r"([\\; ])", r"\\\1", word)


def add_entries(path: str, entries: Mapping[str, str], *, version: str = "") -> Iterator[Command]:
    """`add map` for keys that the map does not have."""
    for payload in _payloads(f"{key} {value}" for key, value in entries.items()):
        yield Command(f"add map {version}{path}", payload)


def change_entries(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Command]:
    """Brings in what is new in a map, and gives entries their new values."""
    yield from add_entries(path, {key: value for key, value in after.items() if key not in before})
    for key, value in after.items():
        if key in before and before[key] != value:
            yield set_entry(path, key, value)


def remove_entries(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Command]:
    """Takes out what a map is to have no more."""
    for key in before:
        if key not in after:
            yield delete_entry(path, key)


def set_entry(path: str, key: str, value: str) -> Command:
    """`set map` for a key that the map has."""
    return Command(f"set map {path} {escape(key)} {escape(value)}")


def delete_entry(path: str, key: str) -> Command:
    """`del map`."""
    return Command(f"del map {path} {escape(key)}")


def prepare_map(path: str) -> Command:
    """Begins a new version of the map; its number, known only from the reply, is written as PREPARED_VERSION."""
    return Command(f"prepare map {path}", done="New version created: [0-9]+")


def commit_map(path: str) -> Command:
    """Puts the prepared version in place of the map's entries."""
    return Command(f"commit map {PREPARED_VERSION}{path}")


def add_server(slot: Slot, server: Server, further: Iterable[str] = ()) -> Iterator[Command]:
    """A new server, ready for requests; `further` are the words about how it is spoken to."""
    words = f"{slot}/{server.name} {address_and_port(server.address, server.port)} id {server.id} weight {WEIGHT}"
    yield Command(" ".join((f"add server {words}", *map(escape, further))), done="New server registered\\.")
    yield set_server_state(slot, server.name, "drain" if server.draining else "ready")


def set_server_state(slot: Slot, name: str, state: str) -> Command:
    """`ready`, `drain` (keeps its sessions, gets no new ones) or `maint` (gets nothing)."""
    return Command(f"set server {slot}/{name} state {state}")


def move_server(slot: Slot, server: Server) -> Command:
    """Another address and port for a server; its sessions are its own as before."""
    text = f"set server {slot}/{server.name} addr {server.address} port {server.port}"
    return Command(text, done=r".*(IP|port) changed from .*")


def take_back(slot: Slot, server: Server) -> Iterator[Command]:
    """A server that was draining or leaving is used again; one that came out of a file while draining has no weight."""
    yield Command(f"set server {slot}/{server.name} weight {WEIGHT}")
    yield set_server_state(slot, server.name, "drain" if server.draining else "ready")


def delete_server(slot: Slot, name: str) -> Command:
    """`del server`, which is refused as long as anything is connected."""
    return Command(f"del server {slot}/{name}", done="Server deleted\\.")


BEGIN_COUNT = Command("placement begin", done="count [0-9]+ began")
"""Begins a count of live sessions, for the program's placement of new ones; the reply has its number."""

_COUNTED_AT_ONCE = 200


def finish_count(number: str, sessions: Mapping[str, int]) -> Iterator[Command]:
    """Says what the count found, by server, and puts it in force. Servers without sessions may be left out."""
    words = [f"{server}={count}" for server, count in sorted(sessions.items())]
    for start in range(0, len(words), _COUNTED_AT_ONCE):
        yield Command(f"placement count {number} {','.join(words[start : start + _COUNTED_AT_ONCE])}", done="taken")
    yield Command(f"placement end {number}", done="complete")


def load_certificate(path: str, pem: bytes, *, is_new: bool) -> Iterator[Command]:
    """A certificate's content, in place for the next handshake. A blank line would end the payload, so it has none."""
    if is_new:
        yield Command(f"new ssl cert {path}", done="New empty certificate store '.*'!")
    text = "\n".join(line for line in pem.decode("ascii").splitlines() if line.strip())
    yield Command(f"set ssl cert {path}", text, done="Transaction (created|updated) for certificate .*!")
    yield Command(f"commit ssl cert {path}", done="Committing .*Success!")


def load_upstream_file(path: str, file: UpstreamFile) -> Iterator[Command]:
    """Something in PEM that servers may name from then on."""
    if file.kind is FileKind.CERTIFICATE:
        yield from load_certificate(path, file.pem, is_new=True)
        return
    text = "\n".join(line for line in file.pem.decode("ascii").splitlines() if line.strip())
    word, name = ("crl-file", "CRL") if file.kind is FileKind.REVOCATIONS else ("ca-file", "CA")
    yield Command(f"new ssl {word} {path}", done=f"New {name} file created '.*'!")
    yield Command(f"set ssl {word} {path}", text, done=f"transaction (created|updated) for {name} .*!")
    yield Command(f"commit ssl {word} {path}", done="Committing .*Success!")


def list_certificate(crt_list: str, line: str) -> Command:
    """Serves a certificate as a line of the crt-list says."""
    return Command(f"add ssl crt-list {crt_list}", line, done="Inserting certificate .*Success!")


def unlist_certificate(crt_list: str, path: str) -> Command:
    """Serves the certificate no more."""
    return Command(f"del ssl crt-list {crt_list} {path}", done="Entry '.*' deleted in crtlist '.*'!")


def forget_certificate(path: str) -> Command:
    """Takes the certificate out of memory."""
    return Command(f"del ssl cert {path}", done="Certificate '.*' deleted!")


def _payloads(lines: Iterable[str]) -> Iterator[str]:
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == PAYLOAD_ENTRIES or size + len(line) > PAYLOAD_BYTES):
            yield "\n".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line.encode()) + 1
    if batch:
        yield "\n".join(batch)
