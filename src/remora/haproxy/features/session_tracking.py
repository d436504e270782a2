"""Live sessions, counted by HAProxy in a stick table: one entry for every session on a route that is tracked.

The table's keys are `route/server/identifier`. They mean the same on every replica, and nothing else of a route is in it,
so its definition never changes with an Ingress. The entry belongs to the pod that answered, whichever was meant, and one
that a stream is using (a WebSocket) does not expire.
"""

import re
from collections.abc import Iterator

from remora.core.settings import ProxySettings
from remora.haproxy.features import peers
from remora.haproxy.grammar import Directive, rule

TABLE = "sessions"
"""The name of the table."""

IDENTIFIER = "^[0-9a-f]{32}$"
"""What an identifier is made of; anything else in its place is somebody's own, and is replaced."""

_LONGEST_KEY = 72
_KEY = re.compile(r"([0-9a-f]{16})/([0-9a-f]+)/([0-9a-f]{32})")


def table_rule(settings: ProxySettings) -> Directive:
    """The table's definition. The counter in it is there because a table must store something."""
    kept = f"size {settings.session_table_size} expire {settings.session_table_expire}s"
    return rule(f"stick-table type string len {_LONGEST_KEY} {kept} store gpc0 peers {peers.SECTION}")


def response_rules(when: str) -> Iterator[Directive]:
    """Notes that the session `txn.id` was served by the pod that answers."""
    is_served = f"{when} {{ srv_name -m found }}"
    yield rule("http-response set-var-fmt(txn.entry)", "%[var(txn.route)]/%[srv_name]/%[var(txn.id)]", when=is_served)
    yield rule("http-response track-sc1 var(txn.entry)", "table", TABLE, when="{ var(txn.entry) -m found }")


def session_key_parts(text: str) -> tuple[str, str, str] | None:
    """Route, server and identifier of a key of the table; None if it is none."""
    match = _KEY.fullmatch(text)
    return (match[1], match[2], match[3]) if match else None
