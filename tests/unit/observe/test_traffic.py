"""What is said of traffic: routes, pods, problems."""

import msgspec

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.haproxy.features.broken_sessions import Reason
from remora.haproxy.features.counting import UNROUTED
from remora.kube.objects import EndpointSlice, ObjectMeta, Pod
from remora.kube.objects.endpointslice import Endpoint, EndpointConditions, TargetRef
from remora.kube.objects.pod import SESSION_DRAIN
from remora.model import Canary, ExactPath, ForwardTo, RedirectTo, RegexPath, RouteId, SessionPolicy, Unavailable
from remora.observe.live_sessions import live_sessions
from remora.observe.pod_facts import PodFact, find_pod_facts
from remora.observe.request_durations import RequestDurations
from remora.observe.traffic import TrafficFacts, gone_since, report_traffic
from remora.observe.traffic_report import TrafficReport
from remora.plan.outcome import BrokenCount, LiveSession, ProxyReading, RequestCount, ServerCount
from remora.watch.snapshot import Snapshot
from tests.support.models import NAME, ORIGIN, backend, endpoint, host, model, route, sticky

A, B = endpoint("a", 8080), endpoint("b", 8080, draining=True)
TRACKED = msgspec.structs.replace(sticky(), sessions=SessionPolicy(tracking=True, limit=5))
ROUTE = route(action=ForwardTo(NAME, TRACKED))
MODEL = model([host(ROUTE)], [backend(A, B)])
READING = ProxyReading(
    "2.8.25",
    7,
    12.0,
    1,
    2,
    3,
    (ServerCount(f"{NAME}:persistent-plain", A.key, 40, 2, 1, 9), ServerCount("", B.key, 0, 0, 4, 0)),
)
SLICE = EndpointSlice(
    metadata=ObjectMeta("web-1", "default", labels={"kubernetes.io/service-name": "web"}),
    endpoints=(
        Endpoint(("127.0.0.1",), EndpointConditions(True), TargetRef("a"), node_name="here"),
        Endpoint(("127.0.0.2",), EndpointConditions(True), TargetRef("b"), node_name="there"),
        Endpoint(("127.0.0.3",), EndpointConditions(False), TargetRef("c")),
        Endpoint(("127.0.0.4",), EndpointConditions(False, False, True), TargetRef("d")),
    ),
)
CORDONED = Pod(ObjectMeta("b", "default", annotations={SESSION_DRAIN: "true"}))


def snapshot() -> Snapshot:
    return Snapshot().changed(EndpointSlice, {SLICE.key: SLICE}).changed(Pod, {CORDONED.key: CORDONED})


def reported(facts: TrafficFacts) -> TrafficReport:
    return report_traffic(facts, at=1.0, uptime=2.0, replica="r")


def test_pods_are_told_with_node_and_why_they_get_no_new_sessions() -> None:
    assert find_pod_facts(snapshot()) == {
        ORIGIN: {
            "a": PodFact("127.0.0.1", "here"),
            "b": PodFact("127.0.0.2", "there", "it is cordoned (remora.io/session-drain)"),
            "c": PodFact("127.0.0.3", "", "it is not ready"),
            "d": PodFact("127.0.0.4", "", "it is being deleted", True),
        }
    }


def test_a_pod_has_what_haproxy_counted_and_the_sessions_of_the_table() -> None:
    entries = (LiveSession(ROUTE.id, A.key, "1" * 32, 5.0, True),)
    pods = find_pod_facts(snapshot())
    report = reported(TrafficFacts(MODEL, reading=READING, sessions=live_sessions(MODEL, entries), pods=pods))
    assert [(one.pod, one.port, one.node, one.state, one.sessions, one.in_use, one.limit) for one in report.pods] == [
        ("a", "80", "here", "ready", 1, 1, 5),
        ("b", "80", "there", "draining", 0, 0, 5),
        ("c", "80", "", "not ready", None, None, None),
        ("d", "80", "", "gone", None, None, None),
    ]
    assert [(one.requests, one.errors, one.connections, one.response_ms) for one in report.pods[:2]] == [
        (40, 2, 1, 9),
        (0, 0, 4, 0),
    ]
    assert [one.why for one in report.pods] == [
        "",
        "it is cordoned (remora.io/session-drain)",
        "it is not ready",
        "it is being deleted",
    ]
    assert report.proxy is not None
    assert (report.proxy.version, report.proxy.former_workers, report.proxy.connections) == ("2.8.25", 2, 3)
    assert "1" * 32 not in msgspec.json.encode(report).decode()


def test_what_a_route_does_is_told_with_where_it_leads_or_why_it_is_closed() -> None:
    closed = route(ExactPath("/closed"), Unavailable())
    away = route(RegexPath("/away.*"), RedirectTo("https://elsewhere/", 301))
    canary = Canary(RouteId("c" * 16), NamespacedName("default", "canary"), ForwardTo(NAME), weight=5)
    main = route(action=ForwardTo(NAME), canary=canary)
    problem = Problem(ObjectRef("Ingress", ORIGIN), "f", "Code", "the password file is gone", "503", Severity.ERROR)
    report = reported(TrafficFacts(model([host(closed, away, main)], [backend(A)]), (problem,)))
    assert [(one.path, one.path_type, one.does, one.service, one.port, one.reason) for one in report.routes] == [
        ("/closed", "Exact", "closed", "", "", "the password file is gone"),
        ("/away.*", "Regex", "redirect", "", "", "https://elsewhere/"),
        ("/", "Prefix", "forward", "web", "80", ""),
        ("/", "Prefix", "forward", "web", "80", ""),
    ]
    assert [(one.id, one.ingress, one.canary_of) for one in report.routes[2:]] == [
        (main.id, "web", ""),
        (canary.id, "canary", main.id),
    ]
    (told,) = report.problems
    assert (told.kind, told.name, told.code, told.severity) == ("Ingress", "web", "Code", "error")


def test_requests_are_told_by_route_and_status_and_those_without_a_route_apart() -> None:
    requests = (RequestCount(ROUTE.id, 200, 3), RequestCount(ROUTE.id, 404, 1), RequestCount(RouteId(UNROUTED), 404, 2))
    broken = (BrokenCount(ROUTE.id, Reason.GONE, 3),)
    report = reported(TrafficFacts(MODEL, requests=requests, broken=broken))
    assert report.routes[0].requests == {"200": 3, "404": 1}
    assert report.unrouted == {"404": 2}
    assert [(one.service, one.reason, one.count) for one in report.broken] == [("web", "gone", 3)]


def test_durations_of_all_methods_and_statuses_are_one_histogram_and_unknown_where_none_was_measured() -> None:
    report = reported(TrafficFacts(MODEL, durations=RequestDurations().read()))
    assert report.routes[0].durations is None


def test_a_pod_that_is_no_more_is_gone_and_has_no_connections() -> None:
    before = reported(TrafficFacts(MODEL, reading=READING))
    after = reported(TrafficFacts(model([host(ROUTE)], [backend(B)]), reading=READING))
    (gone,) = gone_since(before, after)
    assert (gone.pod, gone.state, gone.connections, gone.requests) == ("a", "gone", 0, 40)
