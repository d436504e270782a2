"""What is said of sessions, and how replicas' reports become one."""

import msgspec

from remora.haproxy.features.broken_sessions import Reason
from remora.model import ForwardTo, RouteId, SessionPolicy
from remora.observe.live_sessions import live_sessions, session_digest
from remora.observe.metrics import Metrics
from remora.observe.session_report import SessionQuestion, SessionReport, merged, parse_question, report_sessions
from remora.plan.outcome import BrokenCount, LiveSession
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky

A, B = endpoint("a", 8080), endpoint("b", 8080, draining=True)
TRACKED = msgspec.structs.replace(sticky(), sessions=SessionPolicy(tracking=True))
ROUTE = route(action=ForwardTo(NAME, TRACKED))
MODEL = model([host(ROUTE)], [backend(A, B)])
ENTRIES = (LiveSession(ROUTE.id, A.key, "1" * 32, 5.0, True), LiveSession(ROUTE.id, B.key, "2" * 32, 7.0, False))
BROKEN = (BrokenCount(ROUTE.id, Reason.GONE, 3), BrokenCount(RouteId("no more"), Reason.FAILED, 9))


def asked(*entries: LiveSession, **question: str) -> SessionReport:
    return report_sessions(MODEL, live_sessions(MODEL, entries), entries, BROKEN, SessionQuestion(**question))


def test_a_report_has_services_pods_states_and_broken_sessions_and_no_id() -> None:
    report = asked(*ENTRIES)
    (service,) = report.services
    assert (service.namespace, service.service, service.tracking, service.sessions) == ("default", "web", "all", 2)
    assert [(pod.pod, pod.state, pod.sessions, pod.in_use) for pod in service.pods] == [
        ("a", "active", 1, 1),
        ("b", "draining", 1, 0),
    ]
    assert service.broken == {"gone": 3}
    assert "1" * 32 not in msgspec.json.encode(asked(*ENTRIES, digests="1")).decode()


def test_a_question_narrows_the_report_down() -> None:
    assert asked(namespace="other").services == ()
    assert asked(service="other").services == ()
    assert asked(pod="nobody").services == ()
    (service,) = asked(*ENTRIES, namespace="default", service="web", pod="b").services
    assert [pod.pod for pod in service.pods] == ["b"]
    assert service.sessions == 1


def test_a_question_is_read_from_a_query_and_what_is_unknown_there_is_passed_over() -> None:
    assert parse_question({"pod": "a", "x": "y"}) == SessionQuestion(pod="a")


def test_one_session_is_where_it_was_seen_and_where_its_cookie_leads() -> None:
    report = asked(*ENTRIES, session=session_digest("1" * 32), server=B.key)
    assert [(one.pod, one.idle_seconds, one.in_use) for one in report.seen] == [("a", 5.0, True)]
    assert [(one.pod, one.state, one.idle_seconds) for one in report.named] == [("b", "draining", None)]


def test_where_nothing_is_tracked_the_number_is_unknown_not_zero() -> None:
    untracked = model([host(route(action=ForwardTo(NAME, sticky())))], [backend(A)])
    (service,) = report_sessions(untracked, live_sessions(untracked, ()), (), (), SessionQuestion()).services
    assert (service.tracking, service.sessions, service.pods[0].sessions) == ("none", None, None)


def test_a_session_that_two_replicas_saw_counts_once() -> None:
    first, second = asked(*ENTRIES, digests="1"), asked(ENTRIES[0], digests="1")
    (service,) = merged((first, second)).services
    assert {pod.pod: pod.sessions for pod in service.pods} == {"a": 1, "b": 1}
    assert service.sessions == 2
    assert service.broken == {"gone": 6}


def test_of_several_sightings_the_freshest_counts() -> None:
    digest = session_digest("2" * 32)
    later = msgspec.structs.replace(ENTRIES[1], idle_seconds=1.0)
    reports = (asked(later, session=digest, server=A.key), asked(ENTRIES[1], session=digest, server=A.key))
    for order in (reports, reports[::-1]):
        report = merged(order)
        assert [one.idle_seconds for one in report.seen] == [1.0]
        assert len(report.named) == 1


def test_one_report_stays_as_it_is_when_merged() -> None:
    assert merged((asked(*ENTRIES, digests="1"),)) == asked(*ENTRIES, digests="1")


def test_live_and_broken_sessions_are_metrics() -> None:
    metrics = Metrics()
    metrics.tell_translation(MODEL, ())
    metrics.tell_sessions(live_sessions(MODEL, ENTRIES[:1]), BROKEN)
    lines = metrics.render().decode().splitlines()
    assert 'remora_sessions{namespace="default",pod="a",service="web"} 1.0' in lines
    assert 'remora_sessions{namespace="default",pod="b",service="web"} 0.0' in lines
    assert 'remora_sessions_broken_total{namespace="default",reason="gone",service="web"} 3.0' in lines


def test_a_service_that_tracks_nothing_has_no_metric_of_live_sessions() -> None:
    metrics = Metrics()
    untracked = model([host(route(action=ForwardTo(NAME, sticky())))], [backend(A)])
    metrics.tell_sessions(live_sessions(untracked, ()), ())
    assert "remora_sessions{" not in metrics.render().decode()
