import re

import pytest

from remora.core.settings import RoutingSettings
from remora.model import RegexPath, Unavailable
from remora.translate import Translator
from remora.translate.backtracking import repeats_within_repeats
from tests.support.kubernetes import PREFIX, ingress, ingress_class, rule, service
from tests.support.translations import snapshot_of

HARMLESS = [
    "/app(/|$)(.*)",
    "/api/v[0-9]+/(.*)",
    "/(.*)/x/(.*)",
    "/a(/[^/]+)*",
    "/a(?:/[a-z0-9-]+)+/?$",
    "/(?i)([a-z]+-)*x",
    "/([0-9]{1,3}[.]){3}[0-9]{1,3}",
    r"/(\d{1,63}\.)+x",
    "/(a|b)*",
    "/(ab)+c+",
    "/((a+))",
    "/([a-z]{4}){2,}",
    "/(?=.*x)y",
    r"/[()+*]+(x)*",
    r"/\Qx+(\E",
]
TANGLED = [
    "/(x+x+)+y",
    "/(a*)*",
    "/(?:a+)+b",
    "/(a|b+)*c",
    "/(/[^/]*/?)*x",
    "/((a+)b?)*c",
    "/(([a-z]+)*)",
    "/(a{1,50}){1,50}b",
    "/(?i)(x[^x]*X?)+y",
    "/(?=(a+)+b)",
    r"/(?<n>a+)+b",
    "/((/[^/]+)+)+",
]


@pytest.mark.parametrize("pattern", HARMLESS)
def test_repeats_one_after_the_other_or_with_a_separator_are_taken(pattern: str) -> None:
    assert not repeats_within_repeats(pattern)


@pytest.mark.parametrize("pattern", TANGLED)
def test_a_repeat_within_a_repeat_is_found(pattern: str) -> None:
    assert repeats_within_repeats(pattern)


def test_a_path_with_one_is_left_out_and_harms_no_other() -> None:
    paths = rule("a.example", "/(x+x+)+y", "/fine/(.*)", path_type="ImplementationSpecific")
    asked = {"nginx.ingress.kubernetes.io/use-regex": "true"}
    objects = (ingress_class("nginx"), service("shop/web"), ingress("shop/a", paths, annotations=asked))
    translation = Translator(RoutingSettings(session_key=b"k")).translate(snapshot_of(objects), None)
    (host,) = (one for one in translation.model.virtual_hosts if one.host == "a.example")
    assert [getattr(route.match, "pattern", None) for route in host.routes] == ["/fine/(.*)"]
    problems = [(one.field, one.code) for one in translation.problems if one.code == "PatternInvalid"]
    assert problems == [("spec.rules[0].http.paths[0].path", "PatternInvalid")]


def test_one_that_is_guarded_is_closed_and_not_left_to_the_next() -> None:
    asked = {f"{PREFIX}use-regex": "true", f"{PREFIX}whitelist-source-range": "10.0.0.0/8"}
    guarded = ingress("shop/a", rule("a.example", "/admin(/.*)*", path_type="ImplementationSpecific"), annotations=asked)
    objects = (ingress_class("nginx"), service("shop/web"), guarded, ingress("shop/b", rule("a.example", "/", "/admins")))
    translation = Translator(RoutingSettings(session_key=b"k")).translate(snapshot_of(objects), None)
    (host,) = (one for one in translation.model.virtual_hosts if one.host == "a.example")
    patterns = [(route.match.pattern, route.action) for route in host.routes if isinstance(route.match, RegexPath)]
    assert len(patterns) == len(host.routes)
    first = next(action for pattern, action in patterns if re.match(pattern, "/admin/x"))
    assert isinstance(first, Unavailable)
    consequences = {one.consequence for one in translation.problems if one.code == "PatternInvalid"}
    assert consequences == {"access to it is guarded, so all paths that begin with /admin answer 503"}
