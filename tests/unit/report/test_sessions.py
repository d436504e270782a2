"""To which pod cookies lead; `tests/features/test_explain.py` holds the rings to the real HAProxy."""

import msgspec
import pytest

from remora.haproxy.configuration import Server, ServerName
from remora.model import AffinityMode, SessionPolicy
from remora.model import Placement as ModelPlacement
from remora.report.ring import former_owner, ring_owner
from remora.report.sessions import cookie_value, place
from tests.support.ingress_nginx import Ring
from tests.support.models import sticky

FORMER = "0123456789abcdef0123456789abcdef"


def server(name: str, number: int, *, draining: bool = False, former_key: str = "") -> Server:
    return Server(ServerName(name), f"10.0.0.{number}", 80, number, draining, former_key)


SERVERS = (server("a", 1), server("b", 2, former_key=FORMER), server("d", 4, draining=True))
ON_RING = {owner.name for key in range(50) if (owner := ring_owner(SERVERS, str(key)))}


@pytest.mark.parametrize(
    ("header", "value"),
    [("route=1", "1"), ("x=2; route=1", "1"), ("route=1; route=3", "3"), ("xroute=1", None), ("", None), ("route=", "")],
)
def test_the_last_cookie_of_the_name_counts(header: str, value: str | None) -> None:
    assert cookie_value("route", header) == value


@pytest.mark.parametrize(
    ("cookies", "pod", "words"),
    [
        ("", None, "a new session"),
        ("route=a|x", "a", "names this pod"),
        ("route=key~a|x", "a", "names this pod"),
        ("route=d|x", "d", "draining"),
        (f"route={FORMER}|x", "b", "ingress-nginx"),
        ("route=gone|x", None, "gone"),
    ],
)
def test_a_persistent_session_names_its_pod(cookies: str, pod: str | None, words: str) -> None:
    found = place(sticky(AffinityMode.PERSISTENT), cookies, SERVERS)
    assert found.server == pod
    assert words in found.reason


@pytest.mark.parametrize(
    ("cookies", "pod", "words"),
    [
        ("", None, "a new session"),
        ("route=|x", None, "a new session"),
        ("route=key~d|x", "d", "draining"),
        ("route=kept~a|x", "a", "ingress-nginx"),
        ("route=kept~gone|x", None, "a pod that is gone"),
        ("route=key~gone|x", (ring_owner(SERVERS, "key") or SERVERS[0]).name, "whose pod is gone"),
    ],
)
def test_a_balanced_session_follows_the_ring_unless_its_pod_drains(cookies: str, pod: str | None, words: str) -> None:
    found = place(sticky(AffinityMode.BALANCED), cookies, SERVERS)
    assert found.server == pod
    assert words in found.reason


LIMITED = SessionPolicy(tracking=True, limit=9)


@pytest.mark.parametrize("mode", AffinityMode)
@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (LIMITED, "any pod of those with fewer than 9 sessions; if all have as many, 503"),
        (msgspec.structs.replace(LIMITED, overflow=True), "if all have as many, the pod with the fewest sessions"),
        (SessionPolicy(placement=ModelPlacement.LEAST_SESSIONS), "the pod with the fewest sessions"),
        (SessionPolicy(placement=ModelPlacement.LEAST_CONNECTIONS), "the pod with the fewest connections"),
    ],
)
def test_a_session_without_a_pod_is_placed_as_its_route_wants(mode: AffinityMode, policy: SessionPolicy, words: str) -> None:
    affinity = msgspec.structs.replace(sticky(mode), sessions=policy)
    for cookies in ("", "route=kept~gone|x", "route=key~gone|x"):
        found = place(affinity, cookies, SERVERS)
        assert found.server is None
        assert words in found.reason
    assert place(affinity, "route=kept~a|x", SERVERS).server == "a"


def test_draining_pods_are_on_no_ring() -> None:
    assert {"a", "b"} == ON_RING
    assert ring_owner(SERVERS[2:], "key") is None
    assert former_owner(SERVERS[2:], "key") is None
    assert place(sticky(AffinityMode.BALANCED), "route=key~x|y", SERVERS[2:]).reason == "all pods are draining: 503"


def test_the_former_ring_is_that_of_ingress_nginx() -> None:
    servers = tuple(server(f"10.0.0.{number}:80", number) for number in range(1, 5))
    ring = Ring(*(one.name for one in servers))
    keys = [str(number) for number in range(100)]
    assert [(former_owner(servers, key) or servers[0]).name for key in keys] == [ring.owner(key) for key in keys]


def test_without_endpoints_or_affinity_there_is_nothing_to_follow() -> None:
    assert "503" in place(None, "", ()).reason
    assert place(None, "route=a", SERVERS).server is None


@pytest.mark.parametrize(
    ("cookies", "found"),
    [
        ("r=in|k", "in|k"),
        ("r=in|k; r=out|o", "in|k"),
        ("r=out|o; r=in|k; x=1", "in|k"),
        ("r=one|k; r=two|k", "two|k"),
        ("r=in|k; r=known|o", "known|o"),
        ("r=in|k; r=key~known|o", "key~known|o"),
        ("r=in|kk; r=out|o", "out|o"),
        ("r=in|k|stamp; r=out", "in|k|stamp"),
        ("xr=in|k; R=in|k", None),
    ],
)
def test_of_several_cookies_that_counts_which_leads_somewhere(cookies: str, found: str | None) -> None:
    assert cookie_value("r", cookies, ("k",), ("known",)) == found
