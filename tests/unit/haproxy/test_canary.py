"""What the maps say about canaries."""

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.haproxy.features.canary import canary_entry, pattern_keys, route_of_pattern
from remora.haproxy.hosts import configure_host, targets
from remora.haproxy.maps import Map, encode_record
from remora.model import BackendName, Canary, ConstantPath, ForwardTo, HeaderCondition, HeaderTest, RouteId
from tests.support.models import NAME, host, route, sticky

TO = ForwardTo(BackendName("next"))


def canary(**wanted: object) -> Canary:
    return Canary(RouteId("c" * 16), NamespacedName("default", "canary"), TO, **wanted)  # type: ignore[arg-type]


def test_entry_has_keys_header_cookie_and_weight() -> None:
    header = HeaderCondition("x-canary", HeaderTest.VALUE, "be ta")
    wanted = canary(header=header, cookie="beta", weight=5, total=1000)
    assert canary_entry(route(), wanted) == "||x-canary|v|be ta|beta|5|1000"
    sides = msgspec.structs.replace(wanted, action=ForwardTo(BackendName("next"), sticky()), header=None)
    assert canary_entry(route(action=ForwardTo(NAME, sticky())), sides).split("|")[:2] == [sticky().backend_key] * 2


def test_what_would_shift_the_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="told apart"):
        canary_entry(route(), canary(cookie="a|always"))


def test_pattern_is_searched_in_the_value_of_its_own_route() -> None:
    (key,) = pattern_keys(route(), canary(header=HeaderCondition("x", HeaderTest.PATTERN, r"\Ade$|\\A")))
    assert key == rf"\A{route().id}\n(?s:.*?)(?m:^de$|\\A)"
    assert route_of_pattern(key) == route().id
    assert route_of_pattern("something else") == ""


def test_canary_has_a_record_a_target_and_the_policies_of_its_route() -> None:
    rewrite = ConstantPath("/new")
    main = route(action=ForwardTo(NAME, None, rewrite), https_redirect=308)
    wanted = msgspec.structs.replace(canary(weight=1), action=ForwardTo(BackendName("next"), None, rewrite))
    served = host(msgspec.structs.replace(main, canary=wanted))
    part = configure_host(served)
    assert {target.backend for target in targets(served)} == {NAME, "next"}
    assert encode_record(part.canary_routes[main.id], {}) == f"|{'c' * 16}||next:spread-shaped|to-https-308"
    assert encode_record(part.routes["web.example/"], {}).startswith(f"?|{main.id}||")
    assert part.texts[Map.REWRITES] == {main.id: "=/new", "c" * 16: "=/new"}
