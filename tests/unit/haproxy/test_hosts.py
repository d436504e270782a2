"""One virtual host as map entries."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.names import Hostname
from remora.haproxy.hosts import NOTHING, configure_host, fixed_part, folded_keys, targets
from remora.haproxy.maps import HostKind, Map
from remora.model import Cors, ExactPath, ForwardTo, PrefixPath, RegexPath, ReplacePath, Route, StripPrefix, Tracing
from tests.support.models import NAME, host, route

HOST = Hostname("h")


@pytest.mark.parametrize(
    ("patterns", "is_folded"),
    [
        (["/foo(/|$)(.*)"], True),
        (["/foo/bar(/|$)(.*)", "/foo(/|$)(.*)", "/"], True),
        (["/foo(/|$)(.*)", "/foo/barbaz"], False),
        (["/a.b"], False),
        (["/[a-z]+"], False),
        (["/foo", "/foo"], False),
        (["/(.*)"], True),
    ],
)
def test_only_literal_prefixes_in_falling_order_are_folded(patterns: list[str], is_folded: bool) -> None:
    assert (folded_keys(HOST, patterns) is not None) is is_folded


segment = st.text("ab/", max_size=4)
literal = segment.map(lambda text: "/" + re.sub("/+", "/", text).strip("/"))
pattern = st.builds(
    lambda path, tail: path.rstrip("/") + tail if path != "/" else path, literal, st.sampled_from(["", "(/|$)(.*)"])
)


@given(st.lists(pattern, max_size=5, unique=True), literal)
def test_a_folded_look_up_finds_what_the_patterns_would(patterns: list[str], path: str) -> None:
    ordered = sorted(patterns, key=lambda text: (len(text), text), reverse=True)
    keys = folded_keys(HOST, ordered)
    if keys is None:
        return
    first = next((number for number, text in enumerate(ordered) if re.match(text, path, re.IGNORECASE)), None)
    looked_up = f"{HOST}{path}/".lower()
    longest = max((key for key in keys if looked_up.startswith(key)), key=len, default=None)
    assert (None if longest is None else keys.index(longest)) == first


def test_a_host_says_which_map_knows_its_paths() -> None:
    plain = configure_host(host(route(PrefixPath("/a")), route(ExactPath("/b"))))
    folded = configure_host(host(route(RegexPath("/a(/|$)(.*)"))))
    regex = configure_host(host(route(RegexPath("/a[0-9]"))))
    repeating = configure_host(host(route(RegexPath("/a")), route(RegexPath("/a(/[a-z]+)*$"))))
    kinds = [part.texts[Map.HOSTS]["web.example"] for part in (plain, folded, regex, repeating)]
    assert kinds == [HostKind.PLAIN.value, HostKind.FOLDED.value, HostKind.REGEX.value, HostKind.REPEATING.value]
    assert (len(plain.routes), len(folded.folded_routes), len(regex.regex_routes)) == (2, 1, 1)


def test_a_rewrite_with_captures_is_data() -> None:
    rewriting = route(RegexPath("/a(.)"), ForwardTo(NAME, rewrite=ReplacePath("^/a(.)", "/$1")))
    assert {target.dedicated for target in targets(host(rewriting))} == {()}
    assert configure_host(host(rewriting)).texts[Map.REWRITES] == {rewriting.id: "*/$1 (?i)^(?:/a(.)).*"}


def test_the_health_check_of_unknown_hosts_gives_way_to_an_ingress() -> None:
    taken = configure_host(host(route(PrefixPath("/healthz")), name=""))
    assert fixed_part(taken, None) == NOTHING
    assert list(fixed_part(NOTHING, None).routes) == ["*/healthz/"]


CORS = Cors(None, "GET", "Accept", True, "", 1)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (route(), "spread-plain"),
        (route(cors=CORS), "spread-shaped"),
        (route(response_headers=(("X-A", "1"),)), "spread-shaped"),
        (route(action=ForwardTo(NAME, rewrite=StripPrefix("/a"))), "spread-shaped"),
        (route(cors=CORS, tracing=Tracing(trusts=False)), "spread-rich"),
        (route(action=ForwardTo(NAME, rewrite=StripPrefix("/a"), read_timeout=9)), "spread-rich"),
    ],
)
def test_a_route_has_the_class_with_the_fewest_rules_that_it_needs(wanted: Route, name: str) -> None:
    assert [target.kind.name for target in targets(host(wanted))] == [name]
