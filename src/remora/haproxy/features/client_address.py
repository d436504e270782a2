"""Who the client is, where a header says so; and clients that are refused by their address or by what they call themselves.

The walk through `X-Forwarded-For` goes from the right for as long as a hop is one of the trusted proxies: hop 0 is the
connection's other end, and each hop is only looked for if the one before it is trusted, so anything else ends the walk.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.grammar import Directive, directive, rule
from remora.haproxy.process_rules import address_acl

HOPS = 8
"""Proxies that are walked back at most."""

PEER = "txn.hop0"
"""The variable with the address of the connection's other end, or of the one that a PROXY header names."""


def request_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Sets the source address; all that stands after it sees the client."""
    if options.trusts_address:
        yield rule(f"http-request set-var({PEER})", "src")
        for number in range(1, HOPS + 1):
            yield from address_acl(f"trusted{number}", f"var(txn.hop{number - 1})", options.proxy_real_ip_cidr)
            hop = f"req.hdr_ip({options.forwarded_for_header},-{number})"
            yield rule(f"http-request set-var(txn.hop{number})", hop, when=f"trusted{number}")
        for number in range(1, HOPS + 1):
            yield rule(f"http-request set-src var(txn.hop{number})", when=f"{{ var(txn.hop{number}) -m found }}")
    if options.block_cidrs:
        yield from address_acl("blocked", "src", options.block_cidrs)
        yield rule("http-request deny deny_status 403", when="blocked")
    for header, wanted in (("user-agent", options.block_user_agents), ("referer", options.block_referers)):
        for one in wanted:
            yield directive("acl", f"blocked-{header}", f"req.fhdr({header})", *_match(one))
        if wanted:
            yield rule("http-request deny deny_status 403", when=f"blocked-{header}")


def _match(wanted: str) -> tuple[str, ...]:
    if wanted.startswith("~*"):
        return "-m", "reg", "-i", "--", wanted[2:]
    return ("-m", "reg", "--", wanted[1:]) if wanted.startswith("~") else ("-m", "str", "--", wanted)
