"""How many sessions each server has, for the placement of new ones."""

import msgspec
import pytest

from remora.model import ForwardTo, Model, Placement, PrefixPath, RouteId, SessionPolicy, VirtualHost
from remora.observe.session_counts import CountedWindows, count_by_server
from remora.plan.outcome import LiveSession
from tests.support.models import NAME, host, model, route, sticky

ONE, TWO = RouteId("1" * 16), RouteId("2" * 16)


def model_with(*policies: SessionPolicy) -> Model:
    routes = [
        route(PrefixPath(f"/{number}"), ForwardTo(NAME, msgspec.structs.replace(sticky(), sessions=policy)))
        for number, policy in enumerate(policies)
    ]
    return model([host(*routes)])


def seen(route: RouteId, server: str, identifier: str, *, idle: float = 0.0, in_use: bool = False) -> LiveSession:
    return LiveSession(route, server, identifier, idle, in_use)


@pytest.mark.parametrize(
    ("policies", "counted"),
    [
        ((SessionPolicy(), SessionPolicy(tracking=True)), 0),
        ((SessionPolicy(placement=Placement.LEAST_CONNECTIONS),), 0),
        ((SessionPolicy(tracking=True, limit=3), SessionPolicy(tracking=True), SessionPolicy()), 2),
        ((SessionPolicy(tracking=True, placement=Placement.LEAST_SESSIONS),), 1),
    ],
)
def test_sessions_are_counted_only_while_a_route_needs_it(policies: tuple[SessionPolicy, ...], counted: int) -> None:
    assert len(CountedWindows().follow(model_with(*policies))) == counted


def test_the_window_is_that_of_the_route() -> None:
    windows = CountedWindows().follow(model_with(SessionPolicy(tracking=True, limit=3, idle_timeout=60)))
    assert list(windows.values()) == [60.0]


def test_following_models_ends_where_beginning_with_the_last_does() -> None:
    def named(name: str, policy: SessionPolicy) -> VirtualHost:
        action = ForwardTo(NAME, msgspec.structs.replace(sticky(), sessions=policy))
        return host(msgspec.structs.replace(route(PrefixPath("/"), action), id=RouteId(name)), name=name)

    tracked, limited = SessionPolicy(tracking=True), SessionPolicy(tracking=True, limit=3, idle_timeout=60)
    a, b, c = named("a", tracked), named("b", limited), named("c", tracked)
    followed = CountedWindows()
    for hosts in ((a,), (a, b), (a, b, c), (b, c), (named("b", tracked), c), (a, named("b", limited)), (), (b,)):
        wanted = CountedWindows().follow(model(hosts))
        assert followed.follow(model(hosts)) == wanted
        assert ("b" in wanted) == any(one.host == "b" and one.routes[0].action == b.routes[0].action for one in hosts)


def test_a_session_counts_once_a_server_and_while_it_lives() -> None:
    sessions = [
        seen(ONE, "a", "x"),
        seen(TWO, "a", "x"),
        seen(ONE, "a", "y", idle=59),
        seen(ONE, "a", "z", idle=61),
        seen(ONE, "b", "x", idle=61, in_use=True),
        seen(RouteId("3" * 16), "b", "y"),
    ]
    assert count_by_server({ONE: 60.0, TWO: 60.0}, sessions) == {"a": 2, "b": 1}
    assert count_by_server({}, sessions) == {}
