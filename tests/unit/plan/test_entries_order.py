"""The order in which what a route's policies say comes and goes."""

from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, configure
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import Access, Cors, Limits, Login, Scheme
from remora.plan.decide import RuntimeUpdate, decide, started
from remora.plan.entries import TEXTS
from tests.support.models import backend, endpoint, host, model, route

SETTINGS = ProxySettings(state_directory="/s")
LAYOUT = Layout("/s")
LOGIN = Login(Scheme.BASIC, "realm", (("user", "sha1:x"),))
GUARDED = configure(
    model(
        [
            host(
                route(
                    access=Access(allow=("10.0.0.0/8",), deny=("10.1.0.0/16",), login=LOGIN),
                    cors=Cors(("https://a.example",), "GET", "X-A", False, "", 60),
                    limits=Limits(counter="c", per_second=1, exempt=("10.0.0.0/8",)),
                )
            )
        ],
        [backend(endpoint("a", 1))],
    ),
    SETTINGS,
)
OPEN = configure(model([host(route())], [backend(endpoint("a", 1))]), SETTINGS)


def touched(before: Configuration, after: Configuration, verb: str) -> list[Map]:
    """The maps that commands of a kind are about, in the order of the first of each."""
    plan = decide(started(before), after, LAYOUT)
    assert isinstance(plan, RuntimeUpdate)
    paths = {LAYOUT.map(name): name for name in TEXTS}
    found = [paths[word] for one in plan.commands if one.text.startswith(verb) for word in one.text.split() if word in paths]
    return list(dict.fromkeys(found))


def test_what_a_guard_looks_up_is_there_before_the_guard_and_goes_after_it() -> None:
    coming, going = touched(OPEN, GUARDED, "add map"), touched(GUARDED, OPEN, "del map")
    assert going == coming[::-1]
    for needed, guard in (
        (Map.PASSWORDS, Map.ACCESS),
        (Map.ALLOWED_ADDRESSES, Map.ACCESS),
        (Map.DENIED_ADDRESSES, Map.ACCESS),
        (Map.LIMIT_EXEMPT, Map.LIMITS),
        (Map.CORS_ORIGINS, Map.CORS),
    ):
        assert coming.index(needed) < coming.index(guard)
