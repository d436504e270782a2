"""Whether a request goes to a route's canary, as `features.canary` decides it. Pure."""

import re
import warnings
from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from remora.haproxy.configuration import Server
from remora.model import Affinity, Canary, ForwardTo, HeaderTest, Route
from remora.report.sessions import cookie_value


class Side(Enum):
    """Where a request of a route with a canary goes."""

    MAIN = "main"
    CANARY = "canary"
    CHANCE = "by chance"


class Decision(msgspec.Struct, frozen=True):
    """A side, and what decided for it."""

    side: Side
    reason: str


def decide(route: Route, canary: Canary, *, headers: Mapping[str, str], cookies: str, servers: Sequence[Server]) -> Decision:
    """The side of a request. Names of headers are in lower case; `servers` are those of the canary's backend."""
    main, other = _affinity(route.action), canary.action.affinity
    session, key = _session(main, cookies, tuple(one.backend_key if one else "" for one in (other, main)))
    if key and main and key == main.backend_key:
        return Decision(Side.MAIN, "its session is not the canary's")
    is_canarys = bool(key and other and key == other.backend_key)
    is_there = session != "" and any(session in (server.name, server.former_key) for server in servers)
    if all(server.draining for server in servers) and not (is_canarys and is_there):
        return Decision(Side.MAIN, "the canary has no endpoints for it")
    if is_canarys:
        return Decision(Side.CANARY, "its session is the canary's")
    return _by_header(canary, headers) or _by_cookie(canary, cookies) or _by_weight(canary)


def _affinity(action: object) -> Affinity | None:
    return action.affinity if isinstance(action, ForwardTo) else None


def _session(affinity: Affinity | None, cookies: str, keys: Sequence[str]) -> tuple[str, str]:
    """What names the server, and the backend's key."""
    value = cookie_value(affinity.cookie_name, cookies, keys) if affinity else None
    session, _, rest = (value or "").partition("|")
    return session.rpartition("~")[2], rest.partition("|")[0]


def _by_header(canary: Canary, headers: Mapping[str, str]) -> Decision | None:
    condition = canary.header
    value = headers.get(condition.name) if condition else None
    if condition is None or value is None:
        return None
    said = f"header {condition.name}: {value}"
    match condition.test:
        case HeaderTest.WORD:
            return _by_word(value, said)
        case HeaderTest.VALUE:
            return Decision(Side.CANARY, said) if value == condition.text else None
        case HeaderTest.PATTERN:
            return Decision(Side.CANARY, said) if _is_found(condition.text, value) else None
        case HeaderTest.PRESENCE:
            return Decision(Side.MAIN, said)


def _is_found(pattern: str, value: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.search(f"(?m:{pattern})", value) is not None
        except (re.error, OverflowError, RecursionError):
            return False


def _by_cookie(canary: Canary, cookies: str) -> Decision | None:
    if not canary.cookie:
        return None
    found = re.match(rf"(?:.*?[; \t])?{re.escape(canary.cookie)}=([^; \t]*)", cookies, re.IGNORECASE)
    return _by_word(found[1], f"cookie {canary.cookie}={found[1]}") if found else None


def _by_word(word: str, said: str) -> Decision | None:
    side = {"always": Side.CANARY, "never": Side.MAIN}.get(word)
    return Decision(side, said) if side else None


def _by_weight(canary: Canary) -> Decision:
    if canary.weight <= 0:
        return Decision(Side.MAIN, "nothing sends it to the canary")
    said = f"{canary.weight} of {canary.total} requests go to the canary"
    return Decision(Side.CANARY if canary.weight >= canary.total else Side.CHANCE, said)
