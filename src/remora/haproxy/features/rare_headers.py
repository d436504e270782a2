"""One look at the names of a request's headers, before the rules for headers that most requests do not have.

A look for one header costs a rule some 500 instructions, `RARE` a quarter of that. HAProxy remembers what it found in texts
that it saw lately, and clients send the same names again and again.
"""

import re
from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.grammar import Directive, rule

RARE = "{ var(txn.rare) -m found }"
"""Holds for requests with a name that is no header's, or with one that is refused, moved or dropped, or with several Cookie
headers. `Connection` counts as HAProxy leaves it, without `close` and `keep-alive`. It may hold for others too: what a rule
does to a header stands behind it."""

_LOOKED_FOR = ("proxy", "ssl[^a-z0-9]client", "transfer-encoding", "connection", "keep-alive", "cookie,(?:.*,)?cookie")


def request_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of the frontends that clients reach, before all else that looks at headers. HAProxy has names in lower case."""
    told = (re.escape(name.lower()) for name in (options.forwarded_for_header, options.forwarded_host_header))
    names = "|".join((*_LOOKED_FOR, *told))
    yield rule("http-request set-var(txn.rare) bool(true)", when=f"{{ req.hdr_names -m reg [^,a-z0-9-]|(?:^|,)(?:{names}) }}")
