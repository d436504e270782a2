"""How much one client may ask for: rates, requests at the same time, bandwidth.

A rate is nginx's leaky bucket, to the request: an entry of the table `limits` holds the time at which the client's bucket will
be empty (the generic cell rate algorithm). A request that is let in moves it on by a step; where it is too far ahead, none is.
Times are clocks of 32 bits that wrap. One that is further ahead than any request moves it is over, or of before the limit
changed, and counts as none.

Replicas that count together do so by windows, in the table `shared-limits`: each writes only entries of its own, which peers
pass on, and adds up all. What several write into one entry would not add up.

What a route wants is data: letters, then numbers, by `|`.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features import access, both_ways, error_pages, peers
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import Limits

TABLE = "limits"
SHARED_TABLE = "shared-limits"

_OWN, _SHARED = 3, 4
"""Which of a request's stick counters."""

_PER_SECOND, _PER_MINUTE, _CONNECTIONS, _BANDWIDTH, _EXEMPT, _IS_SHARED = "rmcbxs"
_COUNTED = (_PER_SECOND, _PER_MINUTE, _CONNECTIONS)

_CLOCK = 0xFFFFFFFF
_FURTHEST = 1_000_000_000
_JITTER = 2000
"""Microseconds by which clocks may step back; without it, a request of the very same time as another might be one too many."""
_TICKS = {_PER_SECOND: 1, _PER_MINUTE: 100}
"""Microseconds of a clock's tick: a bucket of requests a minute takes longer to empty."""
_SECONDS = {_PER_SECOND: 1, _PER_MINUTE: 60}
_WINDOW = 5
"""Seconds, or minutes, over which replicas count together: with the default burst multiplier, what a bucket holds."""

_FIELDS = {_PER_SECOND: (3, 4), _PER_MINUTE: (5, 6)}
_COUNTER_FIELD, _CONNECTIONS_FIELD, _BANDWIDTH_FIELD, _AFTER_FIELD = 2, 7, 8, 9
_SHARED_FIELDS = {_PER_SECOND: 10, _PER_MINUTE: 11}
_GPC = {_PER_SECOND: 0, _PER_MINUTE: 1}

_FILTER = "limit-rate"
_DENY_STATUSES = (400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503, 504)
"""Those of which HAProxy has a page."""


def table_rules() -> Iterator[tuple[str, Directive]]:
    """The tables by name. A reload takes the first one over too, by a peer that is nobody but the next worker."""
    stored = "store gpt(2),conn_cur"
    yield TABLE, rule(f"stick-table type string len 64 size 200k expire 30m {stored} peers {peers.WORKER_SECTION}")
    stored = f"store gpc0_rate({_WINDOW}s),gpc1_rate({_WINDOW}m)"
    yield SHARED_TABLE, rule(f"stick-table type string len 80 size 200k expire 10m {stored} peers {peers.SECTION}")


def request_rules(layout: Layout, options: ProxyOptions) -> Iterator[Directive]:
    """What stands before all other guards."""
    yield rule("http-request set-var(txn.limits)", f"var(txn.route),map_str({layout.map(Map.LIMITS)})")
    yield rule("http-request set-var(txn.limit_letters)", "var(txn.limits),field(1,|)", when="{ var(txn.limits) -m found }")
    yield from _key_rules(layout, options)
    has_key = "{ var(txn.limit_key) -m found }"
    yield rule(f"http-request track-sc{_OWN} var(txn.limit_key)", "table", TABLE, when=has_key)
    for letter in _TICKS:
        yield from _bucket_rules(letter, when=f"{has_key} {_has(letter)}")
    for letter in _TICKS:
        is_over = f"{{ var(txn.ahead_{letter}),add(txn.step_{letter}),sub(txn.most_{letter}) gt 0 }}"
        yield from _refusal(layout, options.limit_req_status_code, when=is_over)
    yield from _shared_rules(layout, options, when=f"{has_key} {_has(_IS_SHARED)}")
    for letter, number in _GPC.items():
        moved = f"var(txn.clock_{letter}),add(txn.ahead_{letter}),add(txn.step_{letter}),and({_CLOCK})"
        yield rule(f"http-request sc-set-gpt({number},{_OWN})", moved, when=f"{{ var(txn.ahead_{letter}) -m found }}")
    most = f"{has_key} {_has(_CONNECTIONS)}"
    yield rule("http-request set-var(txn.most_c)", f"{_field(_CONNECTIONS_FIELD)},add(0)", when=most)
    is_over = f"{{ var(txn.most_c) -m found }} {{ sc_conn_cur({_OWN}),sub(txn.most_c) gt 0 }}"
    yield from _refusal(layout, options.limit_conn_status_code, when=is_over)


def backend_rules() -> Iterator[Directive]:
    """The lines of every guarded backend, since a section of defaults can hold neither."""
    is_limited = _has(_BANDWIDTH)
    yield from both_ways.filter_rules()
    yield from both_ways.request_rules(when=is_limited)
    yield rule(f"filter bwlim-out {_FILTER} default-limit 1g default-period 1s")
    yield rule("http-response set-var(txn.limit_after)", f"{_field(_AFTER_FIELD)},add(0)", when=is_limited)
    is_short = "{ res.fhdr(content-length),sub(txn.limit_after) le 0 }"
    limit = f"limit {_field(_BANDWIDTH_FIELD)} period int(1000)"
    yield rule(f"http-response set-bandwidth-limit {_FILTER} {limit}", when=f"{is_limited} !{is_short}")


def limits_entry(limits: Limits) -> str:
    """The value of the map `limits`."""
    rates = {_PER_SECOND: limits.per_second, _PER_MINUTE: limits.per_minute}
    wanted = {
        **{letter: rate > 0 for letter, rate in rates.items()},
        _CONNECTIONS: limits.connections > 0,
        _BANDWIDTH: limits.bandwidth > 0,
        _EXEMPT: bool(limits.exempt),
        _IS_SHARED: limits.is_shared,
    }
    letters = "".join(letter for letter, is_wanted in wanted.items() if is_wanted)
    buckets = [number for letter, rate in rates.items() for number in _bucket(letter, rate, limits.burst)]
    shared = [rate * _WINDOW for rate in rates.values()]
    numbers = (*buckets, limits.connections, limits.bandwidth, limits.bandwidth_after, *shared)
    return "|".join((letters, limits.counter, *map(str, numbers)))


def exempt_keys(route: str, limits: Limits) -> Iterator[str]:
    """The keys of the route in the map `limit-exempt`."""
    yield from access.address_keys(route, limits.exempt)


def _bucket(letter: str, rate: int, burst: int) -> tuple[int, int]:
    """Ticks of one request, and how far ahead a full bucket is."""
    if not rate:
        return 0, 0
    step = max(1, round(_SECONDS[letter] * 1_000_000 / _TICKS[letter] / rate))
    return step, min(step * (rate * burst + 1) + min(_JITTER // _TICKS[letter], step // 2), _FURTHEST)


def _key_rules(layout: Layout, options: ProxyOptions) -> Iterator[Directive]:
    """Finds `txn.limit_key`: what is counted together, and for whom. Without one nothing is counted."""
    header = options.limit_conn_zone_variable
    client = f"req.fhdr({header}),sha1,hex" if header else "src"
    is_there = f" {{ req.fhdr({header}) -m len gt 0 }}" if header else ""
    key = f"%[{_field(_COUNTER_FIELD)}]/%[{client}]"
    yield rule("http-request set-var-fmt(txn.limit_key)", key, when=_has(*_COUNTED) + is_there)
    yield from access.address_key_rules("limit_address", when=_has(_EXEMPT))
    is_exempt = f"{_has(_EXEMPT)} {{ var(txn.limit_address),map_beg({layout.map(Map.LIMIT_EXEMPT)}) -m found }}"
    yield rule("http-request unset-var(txn.limit_key)", when=is_exempt)


def _bucket_rules(letter: str, *, when: str) -> Iterator[Directive]:
    """Finds how far ahead the bucket is: `txn.ahead_…`, with `txn.clock_…`, and the numbers of the entry."""
    ticks = f",div({_TICKS[letter]})" if _TICKS[letter] > 1 else ""
    yield rule(f"http-request set-var(txn.clock_{letter})", f"date(0,us){ticks},and({_CLOCK})", when=when)
    for name, field in zip(("step", "most"), _FIELDS[letter], strict=True):
        yield rule(f"http-request set-var(txn.{name}_{letter})", f"{_field(field)},add(0)", when=when)
    ahead = f"sc_get_gpt({_GPC[letter]},{_OWN}),sub(txn.clock_{letter}),and({_CLOCK})"
    yield rule(f"http-request set-var(txn.ahead_{letter})", ahead, when=when)
    # Twice, so that a clock that steps back does not empty a full bucket.
    is_nothing = f"{{ var(txn.ahead_{letter}),sub(txn.most_{letter}),sub(txn.most_{letter}) gt 0 }}"
    # What a new entry holds is no time: it would be one of the future whenever the clock is about to wrap.
    is_new = f"{{ sc_get_gpt({_GPC[letter]},{_OWN}) eq 0 }}"
    yield rule(f"http-request set-var(txn.ahead_{letter})", "int(0)", when=f"{when} {is_nothing} or {when} {is_new}")


def _shared_rules(layout: Layout, options: ProxyOptions, *, when: str) -> Iterator[Directive]:
    """Refuses what all replicas together let in too often. A request that is let in is told to the others."""
    yield rule("http-request set-var-fmt(txn.shared_key)", f"%[var({peers.OWN_VARIABLE})]/%[var(txn.limit_key)]", when=when)
    is_shared = "{ var(txn.shared_key) -m found }"
    yield rule(f"http-request track-sc{_SHARED} var(txn.shared_key)", "table", SHARED_TABLE, when=is_shared)
    for letter, number in _GPC.items():
        is_counted = f"{is_shared} {_has(letter)}"
        total = f"txn.total_{letter}"
        yield rule(f"http-request set-var({total})", f"sc_gpc{number}_rate({_SHARED})", when=is_counted)
        for other in peers.OTHERS_VARIABLES:
            theirs = f"var({other}),concat(/,txn.limit_key),table_gpc{number}_rate({SHARED_TABLE}),add({total})"
            yield rule(f"http-request set-var({total})", theirs, when=f"{is_counted} {{ var({other}) -m found }}")
        yield rule(
            f"http-request set-var(txn.shared_most_{letter})", f"{_field(_SHARED_FIELDS[letter])},add(0)", when=is_counted
        )
        is_over = f"{is_counted} {{ var({total}),sub(txn.shared_most_{letter}) gt 0 }}"
        yield from _refusal(layout, options.limit_req_status_code, when=is_over)
    for letter, number in _GPC.items():
        yield rule(f"http-request sc-inc-gpc{number}({_SHARED})", when=f"{is_shared} {_has(letter)}")


def _refusal(layout: Layout, status: int, *, when: str) -> Iterator[Directive]:
    yield from error_pages.rules_before_denial(status, layout.map(Map.ERROR_PAGES), when=when)
    if status in _DENY_STATUSES:
        yield rule(f"http-request deny deny_status {status}", when=when)
    else:
        yield rule(f"http-request return status {status}", when=when)


def _has(*letters: str) -> str:
    return f"{{ var(txn.limit_letters) -m sub {' '.join(letters)} }}"


def _field(number: int) -> str:
    return f"var(txn.limits),field({number},|)"
