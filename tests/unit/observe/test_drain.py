from remora.core.names import NamespacedName
from remora.model import Balancing, Model
from remora.observe.drain import LEFT, DrainState, describe, drain_state, is_over, merged, servers_of
from remora.observe.live_sessions import PodSessions, ServiceSessions
from tests.support.models import NAME, ORIGIN, backend, endpoint

POD = NamespacedName(ORIGIN.namespace, "a")


def model(*, draining: bool = True) -> Model:
    return Model(
        (), (backend(endpoint("a", 80, draining=draining), endpoint("b", 80), name=NAME, balancing=Balancing.ROUND_ROBIN),)
    )


def service(name: str, ids: set[str], *, tracked: bool = True) -> ServiceSessions:
    found = frozenset(ids) if tracked else frozenset()
    (one, _) = model().backends[0].endpoints
    pods = (PodSessions("a", one.state, found, found & {"1"}),)
    return ServiceSessions(NamespacedName(ORIGIN.namespace, name), tracked, tracked, pods)


def test_a_session_on_two_services_of_a_pod_counts_once() -> None:
    state = drain_state(model(), [service("web", {"1", "2"}), service("api", {"2", "3"})], POD, connections=1)
    assert (state.sessions, state.in_use, state.tracking, state.connections) == (3, 1, "all", 1)
    assert describe(state) == f"pod {POD} (draining): 3 live sessions, 1 connection"


def test_what_is_not_tracked_is_said_plainly() -> None:
    state = drain_state(model(), [service("web", {"1"}, tracked=False)], POD, connections=2)
    assert (state.sessions, state.tracking, state.is_empty) == (None, "none", False)
    assert "do not track sessions" in describe(state)
    mixed = drain_state(model(), [service("web", {"1"}), service("api", set(), tracked=False)], POD, connections=0)
    assert (mixed.sessions, mixed.tracking) == (1, "some")
    assert "not all of its routes" in describe(mixed)


def test_a_pod_of_another_namespace_is_another_pod() -> None:
    other = NamespacedName("other", "a")
    assert servers_of(model(), other) == {}
    state = drain_state(model(), [service("web", {"1"})], other, connections=0)
    assert (state.state, state.sessions) == ("", None)
    assert describe(state) == "no route leads to pod other/a"


def test_a_pod_is_empty_when_neither_sessions_nor_connections_are_left() -> None:
    assert is_over(drain_state(model(), [service("web", set())], POD, connections=0), 0.0, timeout=30)
    assert not is_over(drain_state(model(), [service("web", {"1"})], POD, connections=0), 99.0, timeout=30)
    assert not is_over(drain_state(model(), [service("web", set())], POD, connections=1), 99.0, timeout=30)


def test_a_pod_that_still_gets_sessions_has_a_moment_to_be_taken_out() -> None:
    state = drain_state(model(draining=False), [service("web", set())], POD, connections=0)
    assert [is_over(state, waited, timeout=30) for waited in (0.0, 1.9, 2.0)] == [False, False, True]
    assert is_over(state, 0.0, timeout=0)


def test_replicas_that_saw_one_session_count_it_once() -> None:
    first = drain_state(model(), [service("web", {"1", "2"})], POD, connections=1, with_digests=True)
    second = drain_state(model(), [service("web", {"2", "3"})], POD, connections=2, with_digests=True)
    both = merged([first, second])
    assert (both.sessions, both.connections, both.state) == (3, 3, "draining")
    unknown = DrainState(POD.namespace, POD.name)
    assert merged([unknown, first]).sessions == 2
    assert merged([unknown, unknown]) == unknown
    alone = drain_state(model(), [service("web", {"1", "2"})], POD, connections=1)
    assert merged([alone]) == alone


def test_a_pod_that_has_left_its_services_is_not_called_unknown() -> None:
    assert describe(DrainState("shop", "a", LEFT)) == "no route leads to pod shop/a any more"
    assert describe(DrainState("shop", "a", connections=2)) == "no route leads to pod shop/a: 2 connections"
