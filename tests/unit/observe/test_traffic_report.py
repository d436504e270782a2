"""How replicas' reports become one, and what of a report is answered."""

from remora.observe.traffic_report import (
    BrokenTraffic,
    ChangeReport,
    Durations,
    PodState,
    PodTraffic,
    ProblemReport,
    ProxyTraffic,
    RouteTraffic,
    TrafficQuestion,
    TrafficReport,
    merged,
    narrowed,
    parse_question,
)

ROUTE = RouteTraffic("1", "web.example", "/", "Prefix", "default", "web", "forward", "web", "80", requests={"200": 3})
OTHER = RouteTraffic("2", "b.example", "/", "Prefix", "other", "b", "forward", "b", "80")
PROBLEM = ProblemReport("Ingress", "default", "web", "f", "Code", "message", "consequence", "warning")


def pod(*digests: str, requests: int = 0, state: PodState = "ready", response_ms: int = 0) -> PodTraffic:
    return PodTraffic(
        "default",
        "web",
        "80",
        "a",
        "10.0.0.1",
        "here",
        state,
        sessions=len(digests),
        in_use=1,
        requests=requests,
        connections=1,
        response_ms=response_ms,
        digests=digests,
    )


def report(replica: str, route: RouteTraffic, one: PodTraffic, *changes: ChangeReport) -> TrafficReport:
    return TrafficReport(
        at=10.0 if replica == "x" else 11.0,
        uptime=5.0,
        replica=replica,
        proxy=ProxyTraffic("2.8.25", 1, 1.0, 1, 0, 4),
        reloads=1,
        routes=(route, OTHER),
        unrouted={"404": 1},
        buckets=(0.1, 1.0),
        pods=(one,),
        broken=(BrokenTraffic("default", "web", "gone", 2),),
        problems=(PROBLEM,),
        changes=changes,
    )


def test_replicas_counts_are_added_and_a_session_that_several_saw_counts_once() -> None:
    slow = RouteTraffic(
        "1", "web.example", "/", "Prefix", "default", "web", "forward", "web", "80", requests={"200": 1, "500": 2}
    )
    late, early = ChangeReport(9.0, "reload"), ChangeReport(3.0, "runtime update")
    both = merged([report("x", ROUTE, pod("1", "2", requests=30, response_ms=10), late), report("y", slow, pod("2"), early)])
    assert both.replica == "x, y"
    assert both.at == 11.0
    assert both.routes[0].requests == {"200": 4, "500": 2}
    assert both.unrouted == {"404": 2}
    (one,) = both.pods
    assert (one.sessions, one.in_use, one.requests, one.connections, one.response_ms) == (2, 2, 30, 2, 10)
    assert both.proxy == ProxyTraffic("2.8.25", 0, 0.0, 2, 0, 8)
    assert both.reloads == 2
    assert [(one.reason, one.count) for one in both.broken] == [("gone", 4)]
    assert both.problems == (PROBLEM,)
    assert both.changes == (early, late)


def test_durations_are_added_where_they_are_measured() -> None:
    measured = RouteTraffic("1", "web.example", "/", "Prefix", "default", "web", "forward", durations=Durations((1, 0, 2), 0.5))
    both = merged([report("x", measured, pod()), report("y", measured, pod()), report("z", ROUTE, pod())])
    assert both.routes[0].durations == Durations((2, 0, 4), 1.0)


def test_a_pod_drains_when_any_replica_says_so() -> None:
    both = merged([report("x", ROUTE, pod()), report("y", ROUTE, pod(state="draining"))])
    assert both.pods[0].state == "draining"


def test_one_report_stays_as_it_is() -> None:
    one = report("x", ROUTE, pod("1"))
    assert merged([one]) is one


def test_a_question_narrows_the_report_down_and_digests_are_told_only_if_asked_for() -> None:
    whole = report("x", ROUTE, pod("1"))
    assert [one.id for one in narrowed(whole, TrafficQuestion(host="web.example")).routes] == ["1"]
    assert len(narrowed(whole, TrafficQuestion(host="web.example")).pods) == 1
    assert narrowed(whole, TrafficQuestion(host="b.example")).pods == ()
    other = narrowed(whole, TrafficQuestion(namespace="other"))
    assert ([one.id for one in other.routes], other.pods, other.broken, other.problems) == (["2"], (), (), ())
    assert [one.id for one in narrowed(whole, TrafficQuestion(service="b")).routes] == ["2"]
    assert narrowed(whole, TrafficQuestion()).pods[0].digests == ()
    assert narrowed(whole, TrafficQuestion(digests="1")).pods[0].digests == ("1",)


def test_a_question_is_read_from_a_query_and_what_is_unknown_there_is_passed_over() -> None:
    assert parse_question({"host": "a", "x": "y"}) == TrafficQuestion(host="a")
