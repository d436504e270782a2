"""From the Model and HAProxy's table to sessions by Service and pod."""

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.model import (
    Affinity,
    BackendName,
    Balancing,
    EndpointState,
    ForwardTo,
    Model,
    PrefixPath,
    Route,
    SessionPolicy,
)
from remora.observe.live_sessions import (
    TrackedHosts,
    find_server,
    find_session,
    live_sessions,
    live_window,
    session_digest,
    sessions_by_pod,
)
from remora.plan.outcome import LiveSession
from tests.support.models import HASHED, NAME, ORIGIN, backend, endpoint, host, model, route, sticky

A, B = endpoint("a", 8080), endpoint("b", 8080)


def tracked(affinity: Affinity | None = None, *, idle_timeout: int | None = None) -> Affinity:
    return msgspec.structs.replace(affinity or sticky(), sessions=SessionPolicy(tracking=True, idle_timeout=idle_timeout))


def on(path: str, affinity: Affinity | None, name: BackendName = NAME) -> Route:
    return route(PrefixPath(path), ForwardTo(name, affinity))


def seen(where: Route, server: str, identifier: str, *, idle: float = 1.0, in_use: bool = False) -> LiveSession:
    return LiveSession(where.id, server, identifier, idle, in_use)


FIRST, SECOND = on("/one", tracked()), on("/two", tracked())
MODEL = model([host(FIRST, SECOND)], [backend(A, B)])


def counts(wanted: Model, *entries: LiveSession) -> dict[str, int]:
    (service,) = live_sessions(wanted, entries)
    return {pod.pod: len(pod.ids) for pod in service.pods}


def test_sessions_are_counted_by_pod_and_pods_without_any_are_listed() -> None:
    assert counts(MODEL, seen(FIRST, A.key, "1"), seen(FIRST, A.key, "2")) == {"a": 2, "b": 0}


def test_a_session_on_several_routes_counts_once_on_its_pod() -> None:
    assert counts(MODEL, seen(FIRST, A.key, "1"), seen(SECOND, A.key, "1")) == {"a": 1, "b": 0}


def test_a_session_that_was_seen_on_two_pods_counts_on_both() -> None:
    assert counts(MODEL, seen(FIRST, A.key, "1"), seen(FIRST, B.key, "1")) == {"a": 1, "b": 1}


def test_backends_of_one_service_are_one_service() -> None:
    hashed = on("/hashed", tracked(), HASHED)
    wanted = model([host(FIRST, hashed)], [backend(A), backend(A, name=HASHED, balancing=Balancing.CONSISTENT_HASH)])
    assert counts(wanted, seen(FIRST, A.key, "1"), seen(hashed, A.key, "2")) == {"a": 2}


@pytest.mark.parametrize(
    ("affinity", "window"),
    [
        (sticky(), 1800),
        (sticky(max_age=60), 60),
        (sticky(expires=90), 90),
        (sticky(max_age=60, expires=90), 60),
        (sticky(max_age=-1), 1800),
        (tracked(sticky(max_age=60), idle_timeout=5), 5),
    ],
)
def test_a_session_lives_as_long_as_its_route_says(affinity: Affinity, window: int) -> None:
    assert live_window(affinity) == window


def test_a_session_that_was_not_seen_for_its_window_is_not_live() -> None:
    short = on("/short", tracked(idle_timeout=10))
    wanted = model([host(short)], [backend(A)])
    assert counts(wanted, seen(short, A.key, "1", idle=9.9), seen(short, A.key, "2", idle=10.1)) == {"a": 1}


def test_a_session_in_use_is_live_however_long_ago_it_began() -> None:
    assert counts(MODEL, seen(FIRST, A.key, "1", idle=3600, in_use=True)) == {"a": 1, "b": 0}


def test_what_the_model_does_not_know_is_not_counted() -> None:
    untracked = on("/untracked", sticky())
    wanted = model([host(FIRST, untracked)], [backend(A)])
    gone = seen(FIRST, "f" * 20, "1")
    stranger = seen(on("/stranger", tracked()), A.key, "2")
    assert counts(wanted, gone, stranger, seen(untracked, A.key, "3")) == {"a": 0}


def test_a_pod_of_several_services_has_the_sessions_of_all() -> None:
    first, *_ = live_sessions(MODEL, [seen(FIRST, A.key, "1"), seen(SECOND, A.key, "2")])
    again = msgspec.structs.replace(first, service=NamespacedName("default", "same-pods"))
    untracked = msgspec.structs.replace(first, service=NamespacedName("other", "web"), has_tracked=False)
    found = sessions_by_pod([first, again, untracked])
    assert found == {NamespacedName("default", "a"): 2, NamespacedName("default", "b"): 0}


def test_what_is_no_pod_has_no_number_to_write() -> None:
    bare = msgspec.structs.replace(A, pod="")
    assert sessions_by_pod(live_sessions(model([host(FIRST)], [backend(bare)]), ())) == {}


def test_a_draining_pod_says_so() -> None:
    wanted = model([host(FIRST)], [backend(A, endpoint("b", 8080, draining=True))])
    (service,) = live_sessions(wanted, ())
    assert [pod.state for pod in service.pods] == [EndpointState.ACTIVE, EndpointState.DRAINING]


def test_an_endpoint_without_a_pod_is_called_by_its_address() -> None:
    bare = msgspec.structs.replace(A, pod="")
    assert counts(model([host(FIRST)], [backend(bare)]), seen(FIRST, A.key, "1")) == {"127.0.0.1:8080": 1}


def test_a_service_whose_routes_track_in_part_says_so() -> None:
    (service,) = live_sessions(model([host(FIRST, on("/u", sticky()))], [backend(A)]), ())
    assert (service.has_tracked, service.is_tracked) == (True, False)


def test_a_service_without_affinity_is_not_listed() -> None:
    wanted = model([host(on("/", None))], [backend(A)])
    assert live_sessions(wanted, ()) == ()
    assert not TrackedHosts().follow(wanted)
    assert TrackedHosts().follow(MODEL)


def test_a_session_is_found_by_its_digest_the_latest_visit_first() -> None:
    entries = [seen(FIRST, A.key, "1", idle=30), seen(FIRST, B.key, "1", idle=5), seen(FIRST, A.key, "2")]
    found = find_session(MODEL, entries, session_digest("1"))
    assert [(one.pod, one.idle_seconds) for one in found] == [("b", 5), ("a", 30)]
    assert find_session(MODEL, entries, session_digest("3")) == ()


def test_a_server_s_name_leads_to_its_pod() -> None:
    assert find_server(MODEL, A.key) == ((ORIGIN, "a", EndpointState.ACTIVE),)
    assert find_server(MODEL, "f" * 20) == ()
