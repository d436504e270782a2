"""Headers to pods that a route asks for: another Host, and the prefix that a rewrite took away."""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule
from remora.model import ClientHost, ForwardTo

_FIXED = "fixed"
_KINDS = {None: _FIXED, ClientHost.AS_SENT: "sent", ClientHost.NAME: "name"}


def request_rules(headers_map: str) -> Iterator[Directive]:
    """The rules of rich classes. X-Forwarded-Host was set before and has the client's Host."""
    yield rule("http-request set-var(txn.upstream)", f"var(txn.route),map_str({headers_map})")
    before, after = "%[var(txn.upstream),field(2,|)]", "%[var(txn.upstream),field(3,|)]"
    hosts = {
        _FIXED: before,
        _KINDS[ClientHost.AS_SENT]: f"{before}%[req.hdr(host)]{after}",
        _KINDS[ClientHost.NAME]: f"{before}%[req.hdr(host),host_only,lower]{after}",
    }
    prefix = "%[var(txn.upstream),field(4,|)]"
    has_prefix = "{ var(txn.upstream),field(4,|) -m len gt 0 }"
    yield rule("http-request set-header X-Forwarded-Prefix", prefix, when=has_prefix)
    # For snippets, whose `$host` stays the client's.
    yield rule("http-request set-var(txn.client_host) req.hdr(host)", when="{ var(txn.upstream) -m found }")
    for kind, host in hosts.items():
        yield rule("http-request set-header Host", host, when=f"{{ var(txn.upstream) -m beg {kind}| }}")


def upstream_entry(action: ForwardTo) -> str:
    """The value of the map `upstream-headers`, "" if there is none: which Host, before, after, prefix; by `|`.

    Raises:
        ValueError: a text holds what would end a field or a header.
    """
    host, prefix = action.upstream_host, action.forwarded_prefix
    if host is None and not prefix:
        return ""
    texts = (host.before, host.after, prefix) if host else ("", "", prefix)
    for text in texts:
        if any(character == "|" or character < " " or character == "\x7f" for character in text):
            raise ValueError(f"{text!r} cannot stand in a header")
    return "|".join((_KINDS[host.client] if host else "", *texts))
