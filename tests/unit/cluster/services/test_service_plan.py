"""State before, state after, commands expected; and that the commands lead there."""

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.services.plan import Place, Reload, Running, Unchanged, Update, decide, deletions
from remora.cluster.services.table import Backend, Listener, Server
from remora.core.names import NamespacedName

WEB = "default_web_http"
LISTENER = Listener("127.64.128.9", 80, WEB, NamespacedName("default", "web"), "ClusterIP")


def running(
    *last: int, leaving: tuple[int, ...] = (), sticky: bool = False, listeners: tuple[Listener, ...] = (LISTENER,)
) -> Running:
    servers = tuple(Server(f"127.64.0.{number}", 80) for number in last)
    left = frozenset(Place(WEB, f"127.64.0.{number}:80") for number in leaving)
    return Running(listeners, (Backend(WEB, sticky, servers),), left)


def test_the_first_step_is_a_reload() -> None:
    assert decide(None, running()) == Reload(("first start",))


def test_the_same_again_is_unchanged() -> None:
    assert decide(running(1, 2), running(1, 2)) == Unchanged()


def test_a_new_endpoint_is_added_and_enabled() -> None:
    step = decide(running(1), running(1, 2))
    place = f"{WEB}/127.64.0.2:80"
    assert step == Update((f"add server {place} 127.64.0.2:80", f"enable server {place}"), running(1, 2))


def test_an_endpoint_that_goes_takes_no_new_connection_and_leaves() -> None:
    step = decide(running(1, 2), running(1))
    assert step == Update((f"set server {WEB}/127.64.0.2:80 state maint",), running(1, leaving=(2,)))
    assert deletions(running(1, leaving=(2,))) == ((Place(WEB, "127.64.0.2:80"), f"del server {WEB}/127.64.0.2:80"),)


def test_an_address_that_comes_back_while_it_leaves_is_made_ready() -> None:
    step = decide(running(1, leaving=(2,)), running(1, 2))
    assert step == Update((f"set server {WEB}/127.64.0.2:80 state ready",), running(1, 2))


def test_a_new_listener_reloads_and_says_why() -> None:
    step = decide(running(1, listeners=()), running(1))
    assert step == Reload(("127.64.128.9:80 begins to listen for default/web",))


def test_session_affinity_is_fixed_at_start() -> None:
    assert decide(running(1), running(1, sticky=True)) == Reload(("the set of service ports changed",))


numbers = st.sets(st.integers(1, 6)).map(sorted)


@given(numbers, numbers, numbers)
def test_what_is_true_after_an_update_needs_no_other(before: list[int], between: list[int], after: list[int]) -> None:
    state = running(*before)
    for wanted in (running(*between), running(*after)):
        step = decide(state, wanted)
        state = step.after if isinstance(step, Update) else state
    assert decide(state, running(*after)) == Unchanged()
    assert state.backends == running(*after).backends
    assert not {place.server for place in state.leaving} & {server.name for server in state.backends[0].servers}
