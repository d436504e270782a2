import pytest

from remora.annotations.acceptance import Acceptance
from remora.annotations.affinity import Affinity
from remora.annotations.allowlist import AddressLists
from remora.annotations.declare import FORMER_CLASS, Risk
from remora.annotations.redirect import Redirect
from remora.annotations.registry import Defaults, Parsed, parse, parse_all, parse_defaults
from remora.annotations.rewrite import Rewrite
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Severity

REF = ObjectRef("Ingress", NamespacedName("shop", "a"))
CONFIGMAP = ObjectRef("ConfigMap", NamespacedName("remora", "controller"))
PREFIXES = ("nginx.ingress.kubernetes.io", "ingress.kubernetes.io")


def parsed(annotations: dict[str, str], defaults: Defaults | None = None) -> Parsed:
    return parse_all(annotations, object=REF, prefixes=PREFIXES, defaults=defaults or Defaults())


def nginx(**annotations: str) -> dict[str, str]:
    return {f"nginx.ingress.kubernetes.io/{name.replace('_', '-')}": text for name, text in annotations.items()}


def test_one_group_is_parsed_alone() -> None:
    annotations = nginx(affinity="cookie", session_cookie_expires="x", rewrite_target="/a b", zzz="")
    group, problems = parse(Affinity, annotations, object=REF, prefixes=PREFIXES, defaults=Defaults())
    assert group == Affinity(kind="cookie")
    assert [problem.field for problem in problems] == [
        "metadata.annotations[nginx.ingress.kubernetes.io/session-cookie-expires]"
    ]


def test_without_annotations_the_defaults_count() -> None:
    assert parsed({}).of(Affinity) == Affinity()
    assert parsed({"example.com/affinity": "cookie"}).problems == ()


def test_the_earlier_prefix_goes_first_and_an_empty_value_last() -> None:
    both = {"ingress.kubernetes.io/session-cookie-name": "old", **nginx(session_cookie_name="new")}
    assert parsed(both).of(Affinity).cookie_name == "new"
    empty = {"ingress.kubernetes.io/session-cookie-name": "old", **nginx(session_cookie_name=" ")}
    assert parsed(empty).of(Affinity).cookie_name == "old"


def test_a_name_goes_before_its_alias() -> None:
    both = parsed(nginx(allowlist_source_range="10.0.0.2", whitelist_source_range="10.0.0.1"))
    assert both.of(AddressLists).allow == ("10.0.0.2/32",)
    alias = parsed(nginx(allowlist_source_range="", whitelist_source_range="10.0.0.1"))
    assert alias.of(AddressLists).allow == ("10.0.0.1/32",)
    assert parsed(nginx(allowlist_source_range="")).is_closed


def test_a_refused_value_is_a_problem_and_the_default() -> None:
    result = parsed(nginx(session_cookie_name="a;b"))
    assert result.of(Affinity).cookie_name == "INGRESSCOOKIE"
    assert [(one.code, one.severity) for one in result.problems] == [("AnnotationRefused", Severity.WARNING)]
    assert not result.is_closed


def test_a_refused_redirect_closes() -> None:
    result = parsed(nginx(permanent_redirect="https://x$request_uri"))
    assert result.is_closed
    assert [one.severity for one in result.problems] == [Severity.ERROR]


@pytest.mark.parametrize("name", ["auth-type", "auth-url", "modsecurity-snippet", "denylist-source-range"])
def test_a_guard_that_cannot_be_honoured_closes(name: str) -> None:
    result = parsed({f"ingress.kubernetes.io/{name}": "something"})
    assert result.is_closed
    assert next(one.code for one in result.problems) in ("AnnotationNotHonoured", "AnnotationRefused")


@pytest.mark.parametrize("name", ["enable_modsecurity", "enable_owasp_core_rules", "modsecurity_snippet"])
def test_a_firewall_closes_its_routes_and_says_why(name: str) -> None:
    result = parsed(nginx(**{name: "true"}, modsecurity_transaction_id="x"))
    assert result.is_closed
    (problem,) = result.problems
    assert problem.code == "AnnotationNotHonoured"
    assert "HAProxy has no ModSecurity" in problem.message


@pytest.mark.parametrize("name", ["enable_modsecurity", "enable_owasp_core_rules"])
def test_a_firewall_that_is_off_closes_nothing(name: str) -> None:
    result = parsed(nginx(**{name: "false"}))
    assert not result.is_closed
    assert result.problems == ()


def test_the_historic_cookie_hash_is_taken_without_a_word() -> None:
    assert parsed(nginx(session_cookie_hash="sha1")).problems == ()


def test_a_name_that_nobody_reads_is_told_and_changes_nothing() -> None:
    result = parsed(nginx(rate_limit="100", lua_resty_waf="active", hsts="true", affinity="cookie"))
    assert not result.is_closed
    assert result.of(Affinity).kind == "cookie"
    assert [(one.code, one.severity) for one in result.problems] == [("AnnotationUnread", Severity.WARNING)] * 3
    assert result.problems[-1].message == "It was never read. `limit-rps` or `limit-rpm` limits requests"


def test_the_configmap_replaces_defaults() -> None:
    defaults = parse_defaults({"SSL-Redirect": "false", "http-redirect-code": "301"}, object=CONFIGMAP)
    assert defaults.problems == ()
    assert parsed({}, defaults).of(Redirect) == Redirect(ssl=False, https_code=301)
    assert parsed(nginx(ssl_redirect="true"), defaults).of(Redirect) == Redirect(ssl=True, https_code=301)
    assert parsed({}, defaults).of(Rewrite) == Rewrite()


def test_a_guard_of_the_configmap_closes_all_but_those_that_say_otherwise() -> None:
    defaults = parse_defaults({"whitelist-source-range": "10.0.0.0/99"}, object=CONFIGMAP)
    assert [one.severity for one in defaults.problems] == [Severity.ERROR]
    assert parsed({}, defaults).is_closed
    assert not parsed(nginx(whitelist_source_range="0.0.0.0/0,::/0"), defaults).is_closed


def test_a_guard_of_the_configmap_that_asks_nothing_closes_nothing() -> None:
    defaults = parse_defaults({"enable-modsecurity": "false", "global-auth-url": ""}, object=CONFIGMAP)
    assert defaults == Defaults()


@pytest.mark.parametrize(("word", "level"), [("Critical", Risk.CRITICAL), ("medium", Risk.MEDIUM), ("whatever", Risk.LOW)])
def test_annotations_above_the_accepted_risk_close(word: str, level: Risk) -> None:
    defaults = parse_defaults({"annotations-risk-level": word}, object=CONFIGMAP)
    assert defaults.of(Acceptance).highest_risk is level
    result = parsed(nginx(rewrite_target="/"), defaults)
    assert result.is_closed == (level is Risk.LOW)
    assert [one.code for one in result.problems] == ["AnnotationTooRisky"] * result.is_closed


def test_an_annotation_that_holds_a_forbidden_word_closes_its_ingress() -> None:
    defaults = parse_defaults({"annotation-value-word-blocklist": "load_module,lua_package"}, object=CONFIGMAP)
    found = parsed(nginx(configuration_snippet="load_module x;"), defaults)
    assert found.is_closed
    assert [problem.code for problem in found.problems] == ["AnnotationForbidden"]
    assert not parsed(nginx(rewrite_target="/load"), defaults).is_closed


def test_what_a_migration_keeps_on_an_ingress_says_nothing() -> None:
    assert parsed({FORMER_CLASS: "nginx"}) == parsed({})
    assert [one.code for one in parsed({FORMER_CLASS.replace("former", "farmer"): "nginx"}).problems] == ["AnnotationUnknown"]


def test_a_key_of_the_configmap_that_is_refused_is_no_annotation() -> None:
    defaults = parse_defaults(
        {"enable-ocsp": "yes", "whitelist-source-range": "x", "enable-modsecurity": "true"}, object=CONFIGMAP
    )
    assert [one.code for one in defaults.problems] == ["SettingRefused"] * 3
