"""From two reports to what happens between them."""

import msgspec

from remora.cli.topping.rates import view_of
from remora.observe.traffic_report import BrokenTraffic, Durations, PodTraffic, ProxyTraffic, RouteTraffic, TrafficReport

ROUTE = RouteTraffic(
    "1", "web.example", "/", "Prefix", "default", "web", "forward", "web", "80", requests={"200": 10, "500": 1}
)
POD = PodTraffic("default", "web", "80", "web-a", "10.0.0.1", "here", "ready", sessions=3, requests=10, errors=1, response_ms=7)
BEFORE = TrafficReport(
    at=100.0,
    uptime=50.0,
    replica="a",
    proxy=ProxyTraffic("2.8.25", 1, 1.0, 1, 0, 4),
    routes=(ROUTE,),
    unrouted={"404": 2},
    buckets=(0.1, 1.0),
    pods=(POD,),
    broken=(BrokenTraffic("default", "web", "gone", 2), BrokenTraffic("default", "api", "gone", 1)),
)


def later(**changes: object) -> TrafficReport:
    return msgspec.structs.replace(BEFORE, at=102.0, **changes)


def test_rates_and_shares_of_errors_are_those_between_the_reports() -> None:
    route = msgspec.structs.replace(ROUTE, requests={"200": 15, "500": 2, "502": 2})
    pod = msgspec.structs.replace(POD, requests=14, errors=3)
    view = view_of(BEFORE, later(routes=(route,), pods=(pod,), unrouted={"404": 4}))
    assert (view.routes[0].rate, view.routes[0].errors) == (4.0, 3 / 8)
    assert (view.pods[0].rate, view.pods[0].errors, view.pods[0].milliseconds) == (2.0, 0.5, 7)
    assert (view.rate, view.errors) == (5.0, 0.3)
    assert view.broken == {"gone": 3}
    assert view.sessions == 3


def test_at_the_first_look_there_are_no_rates() -> None:
    view = view_of(None, BEFORE)
    assert (view.rate, view.errors, view.routes[0].rate, view.pods[0].rate) == (None, None, None, None)
    assert view.pods[0].sessions == 3


def test_other_replicas_than_before_make_no_rates() -> None:
    assert view_of(BEFORE, later(replica="a, b")).rate is None


def test_a_counter_that_began_anew_counts_from_zero() -> None:
    route = msgspec.structs.replace(ROUTE, requests={"200": 4})
    assert view_of(BEFORE, later(routes=(route,))).routes[0].rate == 2.0


def test_a_route_that_is_new_counts_whole() -> None:
    route = msgspec.structs.replace(ROUTE, id="2", requests={"200": 4})
    assert view_of(BEFORE, later(routes=(route,))).routes[0].rate == 2.0


def test_percentiles_are_of_the_requests_between_the_reports() -> None:
    before = msgspec.structs.replace(BEFORE, routes=(msgspec.structs.replace(ROUTE, durations=Durations((100, 0, 0), 1.0)),))
    after = msgspec.structs.replace(ROUTE, durations=Durations((100, 10, 0), 6.0))
    view = view_of(before, later(routes=(after,)))
    assert (view.routes[0].p50, view.routes[0].p99) == (550.0, 991.0)
    assert view.measures
    same = view_of(before, later(routes=before.routes))
    assert same.routes[0].p99 is None
    assert view_of(None, BEFORE).measures is False


def test_what_a_route_leads_to_is_its_service_or_why_it_is_closed() -> None:
    closed = msgspec.structs.replace(ROUTE, does="closed", service="", reason="no password file")
    canary = msgspec.structs.replace(ROUTE, id="2", canary_of="1")
    view = view_of(None, later(routes=(ROUTE, canary, closed)))
    assert [(one.to, one.state) for one in view.routes] == [
        ("web:80", "ready"),
        ("web:80 (canary)", "ready"),
        ("no password file", "closed"),
    ]


def test_sessions_of_a_service_with_two_ports_count_once() -> None:
    other = msgspec.structs.replace(POD, port="443")
    assert view_of(None, later(pods=(POD, other))).sessions == 3
    assert view_of(None, later(pods=(msgspec.structs.replace(POD, sessions=None),))).sessions is None
