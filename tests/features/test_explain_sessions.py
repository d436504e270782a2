"""What `remora explain` says of sessions with lifetimes and of both formats is what the real HAProxy does."""

import json
import random
import time

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.former_sessions import former_key
from remora.haproxy.features.session_lifetime import derive_key, sign
from remora.model import AffinityMode, CookieFormat, SessionPolicy
from remora.report.lifetimes import Judge
from remora.report.sessions import place
from tests.features.test_affinity import MODES
from tests.features.test_session_tracking import N, session_model
from tests.support.models import endpoint
from tests.support.proxy import Client, Pods

KEY = derive_key(b"a session key of a test")
POLICIES = [
    SessionPolicy(tracking=True),
    SessionPolicy(idle_timeout=600, absolute_timeout=7200),
    SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX),
    SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX, idle_timeout=600),
]


def random_stamp(draw: random.Random, now: int) -> str:
    """A stamp that is good, over, forged, or none at all."""
    issued, seen = now - draw.choice((50, 1000, 9000)), now - draw.choice((0, 50, 300, 3000))
    text = f"{draw.randrange(1 << 127):032x}.{issued:08x}.{seen:08x}"
    return draw.choice(
        (f"{text}.{sign(KEY, text)}", f"{text}.{sign(KEY, text + '0')}", text.partition(".")[0], "", "x.y", "kept")
    )


def random_cookie(draw: random.Random, names: list[str], now: int) -> str:
    stamp, name = random_stamp(draw, now), draw.choice([*names, "gone", "1712345679.901.33.5678", ""])
    return draw.choice(
        (
            f"route={stamp}~{name}|b",
            f"route={name}|b|{stamp}",
            f"route={name}|b",
            f"route=kept~{name}|b|{stamp}",
            f"x={stamp}~{name}|b",
            f"route={stamp}~{name}|b; route={name}",
        )
    )


@pytest.mark.parametrize("sessions", POLICIES)
@pytest.mark.parametrize("mode", MODES)
async def test_a_session_is_placed_where_the_real_haproxy_places_it(
    mode: AffinityMode,
    sessions: SessionPolicy,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    draw = random.Random(9)
    settings = msgspec.structs.replace(proxy_settings, lifetime_key=KEY)
    endpoints = [endpoint(name, await pods.start(name), draining=name == "e") for name in "abcde"]
    wanted = session_model(mode, sessions, *endpoints)
    configuration = Configurator(settings).configure(wanted)
    await executor.apply(configuration)
    (made,) = configuration.backends.values()
    action = wanted.virtual_hosts[0].routes[0].action
    pod_of = {one.key: one.pod for one in endpoints}
    names = [*pod_of, *(former_key(N, one.address, one.port) for one in endpoints)]
    placed = unplaced = 0
    for _ in range(120):
        now = int(time.time())
        cookies = random_cookie(draw, names, now)
        said = place(getattr(action, "affinity", None), cookies, made.servers, judge=Judge(KEY, now))
        pod = json.loads((await client.get("web.example", cookie=cookies))[2])["pod"]
        assert pod == pod_of[said.server] if said.server else pod != "e", (cookies, said)
        placed += said.server is not None
        unplaced += said.server is None
    assert placed > 20
    assert unplaced > 10
