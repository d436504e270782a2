"""Which requests go to a canary."""

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.haproxy.configuration import Server, ServerName
from remora.model import BackendName, Canary, ForwardTo, HeaderCondition, HeaderTest, RouteId
from remora.report.canaries import Side, decide
from tests.support.models import NAME, route, sticky

OTHER = ForwardTo(BackendName("canary"), msgspec.structs.replace(sticky(), backend_key="other"))
MAIN = route(action=ForwardTo(NAME, sticky()))
SERVER = Server(ServerName("pod"), "127.0.0.1", 80, 1, former_key="former")
CANARY = Canary(RouteId("c"), NamespacedName("shop", "canary"), OTHER)


def side(
    canary: Canary, *, headers: dict[str, str] | None = None, cookies: str = "", servers: tuple[Server, ...] = (SERVER,)
) -> Side:
    return decide(MAIN, canary, headers=headers or {}, cookies=cookies, servers=servers).side


@pytest.mark.parametrize(
    ("test", "text", "value", "expected"),
    [
        (HeaderTest.WORD, "", "always", Side.CANARY),
        (HeaderTest.WORD, "", "never", Side.MAIN),
        (HeaderTest.WORD, "", "else", Side.CHANCE),
        (HeaderTest.VALUE, "yes", "yes", Side.CANARY),
        (HeaderTest.VALUE, "yes", "no", Side.CHANCE),
        (HeaderTest.PATTERN, "^v[0-9]", "v2", Side.CANARY),
        (HeaderTest.PATTERN, "^v[0-9]", "x", Side.CHANCE),
        (HeaderTest.PRESENCE, "", "x", Side.MAIN),
    ],
)
def test_the_header_decides_before_chance(test: HeaderTest, text: str, value: str, expected: Side) -> None:
    canary = msgspec.structs.replace(CANARY, header=HeaderCondition("x-canary", test, text), weight=10)
    assert side(canary, headers={"x-canary": value}) is expected


def test_a_session_goes_before_everything_and_a_canary_without_pods_gets_nothing() -> None:
    canary = msgspec.structs.replace(CANARY, cookie="try", weight=100)
    assert side(canary) is Side.CANARY
    assert side(canary, cookies="TRY=never") is Side.MAIN
    assert side(canary, cookies="try=never; route=x|other") is Side.CANARY
    assert side(canary, cookies=f"route=x|{sticky().backend_key}; try=always") is Side.MAIN
    assert side(canary, cookies="try=always", servers=()) is Side.MAIN
    assert side(CANARY) is Side.MAIN


def test_a_canary_that_only_drains_keeps_its_sessions() -> None:
    draining = (msgspec.structs.replace(SERVER, draining=True),)
    canary = msgspec.structs.replace(CANARY, weight=100)
    for session in ("pod", "id~pod", "former"):
        assert side(canary, cookies=f"route={session}|other", servers=draining) is Side.CANARY
    assert side(canary, cookies="route=gone|other", servers=draining) is Side.MAIN
    assert side(canary, servers=draining) is Side.MAIN
