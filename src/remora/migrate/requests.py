"""The requests that two controllers are compared by: from the rules of Ingresses, from an access log, or written by hand."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.kube.objects import Ingress

USUAL_COOKIE = "INGRESSCOOKIE"
UNLISTED = "remora-compare"
"""A label of hosts, and a segment of paths, that no rule has."""

_PREFIXES = ("nginx.ingress.kubernetes.io", "ingress.kubernetes.io")
_SPECIAL = re.compile(r"[\\\[\](){}.*+?^$|]")
_LINE = re.compile(
    r'^\S+ - \S+ \[[^\]]+\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" \d{3} .*?(?:\[(?P<upstream>[^\]]*)\] \[[^\]]*\]|$)'
)
_NAMES = {
    "method": ("method", "request_method"),
    "host": ("host", "http_host", "vhost", "server_name"),
    "path": ("request_uri", "uri", "path"),
}


class Replay(msgspec.Struct, frozen=True, order=True):
    """A request to send to both. `cookie` names the session cookie that its answers may set; "" for none that is known."""

    host: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    cookie: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


def requests_of(ingresses: Iterable[Ingress], methods: Sequence[str] = ("GET", "HEAD")) -> tuple[Replay, ...]:
    """Hosts times paths times methods of the rules, with a slash at the end and without, and what no rule lists."""
    found: dict[tuple[str, str], str] = {(f"{UNLISTED}.invalid", "/"): ""}
    for ingress in sorted(ingresses, key=lambda one: one.key):
        cookie = session_cookie(ingress)
        for rule in ingress.spec.rules:
            host = concrete_host(rule.host)
            found.setdefault((host, f"/{UNLISTED}/unlisted"), "")
            for path in rule.http.paths if rule.http else ():
                for one in paths_of(path.path, path.path_type):
                    if not found.get((host, one)):
                        found[host, one] = cookie
    return tuple(Replay(host, path, method, cookie=cookie) for (host, path), cookie in found.items() for method in methods)


def session_cookie(ingress: Ingress) -> str:
    """The name of the cookie that the Ingress has clients keep; "" if it has none."""
    read = ingress.metadata.annotations
    said = {name: read[f"{prefix}/{name}"] for prefix in _PREFIXES[::-1] for name in _OF_SESSIONS if f"{prefix}/{name}" in read}
    return said.get("session-cookie-name", USUAL_COOKIE) if said.get("affinity") == "cookie" else ""


_OF_SESSIONS = ("affinity", "session-cookie-name")


def concrete_host(host: str) -> str:
    """A host that the rule takes."""
    if not host:
        return f"{UNLISTED}.invalid"
    return f"{UNLISTED}{host[1:]}" if host.startswith("*.") else host


def paths_of(path: str, path_type: str) -> tuple[str, ...]:
    """Paths to try for one of a rule, which may be a pattern: its literal beginning counts then."""
    text = path or "/"
    if special := _SPECIAL.search(text) if path_type == "ImplementationSpecific" else None:
        text = text[: special.start()] or "/"
    bare = text.rstrip("/")
    return tuple(dict.fromkeys((text, bare or "/", f"{bare}/", f"{bare}/{UNLISTED}")))


def hosts_by_upstream(ingresses: Iterable[Ingress]) -> dict[str, tuple[str, str]]:
    """ingress-nginx's names of backends, as its access log has them, to a host and the cookie of its route."""
    found: dict[str, tuple[str, str]] = {}
    for ingress in sorted(ingresses, key=lambda one: one.key):
        for rule in ingress.spec.rules:
            for path in rule.http.paths if rule.http else ():
                if service := path.backend.service:
                    name = f"{ingress.key.namespace}-{service.name}-{service.port}"
                    found.setdefault(name, (concrete_host(rule.host), session_cookie(ingress)))
    return found


def read_log(lines: Iterable[str], upstreams: Mapping[str, tuple[str, str]]) -> tuple[tuple[Replay, ...], int]:
    """The requests of an access log of ingress-nginx, each once, and how many lines say too little.

    Lines of its usual format, which has no host but the name of the backend, and lines of JSON.
    """
    found: dict[Replay, None] = {}
    left_out = 0
    for line in lines:
        text = line.strip()
        if not text:
            continue
        one = _read_json(text, upstreams) if text.startswith("{") else _read_usual(text, upstreams)
        if one is None or one.method not in ("GET", "HEAD", "OPTIONS"):
            left_out += 1
        else:
            found[one] = None
    return tuple(found), left_out


def _read_usual(line: str, upstreams: Mapping[str, tuple[str, str]]) -> Replay | None:
    match = _LINE.match(line)
    known = upstreams.get(match["upstream"] or "") if match else None
    if match is None or known is None or not match["target"].startswith("/"):
        return None
    return Replay(known[0], match["target"], match["method"], cookie=known[1])


def _read_json(line: str, upstreams: Mapping[str, tuple[str, str]]) -> Replay | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    values = {field: next((str(said[name]) for name in names if said.get(name)), "") for field, names in _NAMES.items()}
    known = upstreams.get(str(said.get("proxy_upstream_name", "")), ("", ""))
    host = values["host"] or known[0]
    if not host or not values["path"].startswith("/"):
        return None
    return Replay(host, values["path"], values["method"] or "GET", cookie=known[1])


def read_requests(lines: Iterable[str]) -> Iterator[Replay | str]:
    """Requests as people write them: `GET shop.example/cart`, or JSON with `host`, `path` and perhaps `method`, `headers`,
    `body` and `cookie`; a text for a line that is neither."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            found = _read_object(text) if text.startswith("{") else _read_words(text)
            yield found or f"line {number}: write METHOD HOST/PATH, or an object with host and path: {text[:60]}"


def _read_words(text: str) -> Replay | None:
    method, _, rest = text.partition(" ")
    host, slash, path = rest.strip().removeprefix("http://").partition("/")
    is_request = method.isupper() and host and (slash or not path) and " " not in rest.strip()
    return Replay(host, f"/{path}", method) if is_request else None


def _read_object(text: str) -> Replay | None:
    try:
        said: Any = json.loads(text)
        headers = tuple((str(name), str(value)) for name, value in dict(said.get("headers") or {}).items())
        one = Replay(
            str(said["host"]), str(said["path"]), str(said.get("method", "GET")), headers, str(said.get("body", "")),
            str(said.get("cookie", "")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return one if one.path.startswith("/") and one.host else None
