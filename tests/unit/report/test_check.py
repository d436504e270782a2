"""What is said of every annotation."""

import msgspec
import pytest

from remora.annotations.registry import find_row
from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import Ingress
from remora.report.check import check_manifests, check_snapshot
from remora.report.findings import Report, Verdict
from remora.report.manifests import Manifest, read_manifests
from remora.report.needs import NEEDS
from tests.support.kubernetes import ingress, ingress_class, rule
from tests.support.translations import snapshot_of

SETTINGS = RoutingSettings(session_key=b"")
PREFIX = "nginx.ingress.kubernetes.io/"


def manifest(annotations: str, *, name: str = "web", host: str = "a.example") -> str:
    return f"""\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  annotations: {annotations}
spec:
  ingressClassName: nginx
  rules:
  - host: {host}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
"""


def checked(*texts: str, settings: RoutingSettings = SETTINGS, files: bool = False) -> Report:
    read = (one for number, text in enumerate(texts) for one in read_manifests(text, f"{number if files else 0}/f.yaml"))
    return check_manifests(read, settings)


def verdicts(report: Report) -> dict[str, Verdict]:
    return {one.field.removeprefix(PREFIX): one.verdict for one in report.findings}


def test_every_annotation_has_a_verdict() -> None:
    report = checked(
        manifest(
            f"{{{PREFIX}affinity: cookie, ingress.kubernetes.io/affinity: cookie, {PREFIX}afinity-mode: x,"
            f" {PREFIX}server-snippet: 'auth_jwt on;', {PREFIX}rewrite-target: /a b, {PREFIX}enable-modsecurity: 'false',"
            f" {PREFIX}session-cookie-hash: md5, other.io/x: y}}"
        )
    )
    assert verdicts(report) == {
        "affinity": Verdict.HONOURED,
        "ingress.kubernetes.io/affinity": Verdict.WITHOUT_EFFECT,
        "afinity-mode": Verdict.UNKNOWN,
        "server-snippet": Verdict.REFUSED,
        "rewrite-target": Verdict.REFUSED,
        "enable-modsecurity": Verdict.HONOURED,
        "session-cookie-hash": Verdict.WITHOUT_EFFECT,
    }
    said = {one.field.removeprefix(PREFIX): one.reason for one in report.findings}
    assert said["afinity-mode"] == "did you mean affinity-mode?"
    assert [one.field.removeprefix(PREFIX) for one in report.findings if one.closes] == ["server-snippet"]


def test_a_difference_is_named() -> None:
    (finding,) = checked(manifest(f"{{{PREFIX}rewrite-target: /}}")).findings
    assert finding.verdict is Verdict.DIFFERENT
    assert "case-sensitive" in finding.reason


def test_ci_fails_for_what_is_refused_and_strictly_for_what_is_dropped() -> None:
    honoured = checked(manifest(f"{{{PREFIX}affinity: cookie}}"))
    unknown = checked(manifest(f"{{{PREFIX}zzz: cookie}}"))
    refused = checked(manifest(f"{{{PREFIX}affinity: sticky}}"))
    unread = checked(manifest(f"{{{PREFIX}rate-limit: '100'}}"))
    results = [(one.is_refused(strict=False), one.is_refused(strict=True)) for one in (honoured, unknown, unread, refused)]
    assert results == [(False, False), (False, True), (False, True), (True, True)]


def test_of_a_name_that_nobody_reads_it_says_what_was_meant() -> None:
    (finding,) = checked(manifest(f"{{{PREFIX}rate-limit: '100'}}")).findings
    assert (finding.verdict, finding.closes) == (Verdict.WITHOUT_EFFECT, False)
    assert finding.reason == "It was never read. `limit-rps` or `limit-rpm` limits requests."


def test_what_a_file_refers_to_need_not_be_in_it_but_its_hosts_must_be_right() -> None:
    assert checked(manifest("{}")).findings == ()
    (finding,) = checked(manifest("{}", host="a_b")).findings
    assert (finding.field, finding.place.line, finding.verdict) == ("spec.rules[0].host", 9, Verdict.REFUSED)


def test_ingresses_of_one_folder_can_contest_a_path_and_those_of_two_cannot() -> None:
    pair = manifest("{}", name="a"), manifest("{}", name="b")
    (finding,) = checked(*pair).findings
    assert finding.field == "spec.rules[0].http.paths[0].path"
    assert "taken by Ingress default/b" in finding.reason
    assert checked(*pair, files=True).findings == ()


def test_versions_of_one_ingress_are_each_checked() -> None:
    report = checked(manifest(f"{{{PREFIX}affinity: cookie}}"), manifest(f"{{{PREFIX}affinity: sticky}}"))
    assert [one.verdict for one in report.findings] == [Verdict.HONOURED, Verdict.REFUSED]
    assert report.ingresses == 2


def test_the_controllers_configmap_decides_which_risk_is_too_high() -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {annotations-risk-level: Low}\n---\n"
    settings = RoutingSettings(session_key=b"", configmap=NamespacedName("default", "c"))
    level, finding = checked(config + manifest(f"{{{PREFIX}rewrite-target: /}}"), settings=settings).findings
    assert (level.field, level.verdict) == ("annotations-risk-level", Verdict.HONOURED)
    assert (finding.verdict, finding.closes) == (Verdict.REFUSED, True)


def config_map(data: str, name: str = "ingress-nginx-controller") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{data}\n---\n"


def test_every_key_of_the_controllers_configmap_has_a_verdict() -> None:
    data = (
        "  keep-alive: '20'\n  ssl-protocols: TLSv1.3\n  reuse-port: 'true'\n  enable-ocsp: 'true'\n"
        "  use-forward-headers: 'true'\n  hsts: maybe\n  syslog-port: '514'\n  http-snippet: auth_jwt on;"
    )
    findings = {one.field: one for one in checked(config_map(data)).findings}
    assert {field: one.verdict.value for field, one in findings.items()} == {
        "keep-alive": "honoured",
        "ssl-protocols": "honoured with a difference",
        "reuse-port": "without effect",
        "enable-ocsp": "honoured with a difference",
        "use-forward-headers": "unknown",
        "hsts": "refused",
        "syslog-port": "honoured",
        "http-snippet": "refused",
    }
    assert findings["use-forward-headers"].reason == "did you mean use-forwarded-headers?"
    assert [field for field, one in findings.items() if one.closes] == ["http-snippet"]
    assert findings["keep-alive"].place.line == 5


def test_another_configmap_is_nobodys_business() -> None:
    assert checked(config_map("  keep-alive: '20'\n  a: b\n  c: d")).findings == ()
    named = RoutingSettings(session_key=b"", configmap=NamespacedName("default", "mine"))
    assert checked(config_map("  keep-alive: '20'"), settings=named).findings == ()
    assert len(checked(config_map("  a: b\n  c: d", "mine"), settings=named).findings) == 2


def test_a_class_that_may_not_be_ours_is_noted() -> None:
    text = manifest("{}").replace("ingressClassName: nginx", "ingressClassName: alb")
    (note,) = checked(text).notes
    assert "its class is alb" in note.message
    own = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: alb}\n"
    assert checked(own + "spec: {controller: remora.io/ingress-controller}\n---\n" + text).notes == ()


def test_a_cluster_is_checked_with_what_it_holds() -> None:
    ours = ingress("shop/a", rule("a.example", "/"), annotations={"affinity": "sticky"})
    other = ingress("shop/b", rule("b.example", "/"), annotations={"affinity": "sticky"}, class_name="alb")
    report = check_snapshot(snapshot_of([ingress_class("nginx"), ingress_class("alb", "aws/alb"), ours, other]), SETTINGS)
    assert report.ingresses == 1
    assert [one.field.removeprefix(PREFIX) for one in report.findings] == [
        "affinity",
        "spec.rules[0].http.paths[0].backend.service",
    ]


def test_manifests_are_of_kinds_that_are_known() -> None:
    assert all(isinstance(one.object, Ingress) for one in read_manifests(manifest("{}"), "f") if isinstance(one, Manifest))


def test_a_snippet_may_name_its_service() -> None:
    text = "proxy_set_header l5d-dst-override $service_name.$namespace.svc.cluster.local:$service_port;"
    (found,) = checked(manifest(f"{{{PREFIX}configuration-snippet: '{text}'}}")).findings
    assert found.reason == "line 1, proxy_set_header: translated"


def test_what_is_served_otherwise_than_it_is_written_is_a_difference_and_no_refusal() -> None:
    report = checked(manifest(f"{{{PREFIX}proxy-connect-timeout: '60', {PREFIX}proxy-next-upstream: http_429}}"))
    assert {one.verdict for one in report.findings} == {Verdict.DIFFERENT}
    assert not report.is_refused(strict=True)


def test_what_an_annotation_refers_to_need_not_be_in_the_file() -> None:
    names = {"proxy-ssl-secret": "default/ca", "fastcgi-params-configmap": "params", "custom-headers": "default/headers"}
    names |= {"auth-type": "basic", "auth-secret": "users", "auth-url": "http://auth.default.svc.cluster.local/"}
    for name, protocol in (("web", "HTTPS"), ("php", "FCGI")):
        wanted = ", ".join(f"{PREFIX}{key}: {value}" for key, value in (names | {"backend-protocol": protocol}).items())
        report = checked(manifest(f"{{{wanted}}}", name=name))
        assert not report.is_refused(strict=True), [one for one in report.findings if one.closes]
        assert any("there is no Secret default/users" in note.message for note in report.notes)


def test_the_way_back_of_a_migration_is_no_finding() -> None:
    assert checked(manifest("{remora.io/former-class: nginx}")).findings == ()


def test_a_path_or_an_alias_that_is_left_out_closes_nothing() -> None:
    report = checked(
        manifest("{}", name="a"),
        manifest("{}", name="b"),
        manifest(f"{{{PREFIX}server-alias: a.example}}", name="c", host="d.example"),
    )
    refused = {one.code: one.closes for one in report.findings if one.code}
    assert refused == {"PathTaken": False, "AliasTaken": False}
    assert report.is_refused(strict=False)


@pytest.mark.parametrize(("guard", "closes"), [("", False), (f", {PREFIX}whitelist-source-range: 10.0.0.0/8", True)])
def test_a_pattern_that_cannot_be_run_closes_its_paths_if_they_are_guarded(guard: str, closes: bool) -> None:
    text = manifest(f"{{{PREFIX}use-regex: 'true'{guard}}}")
    assert "path: /" in text
    report = checked(text.replace("path: /", "path: '/admin['", 1))
    assert {one.code: one.closes for one in report.findings if one.code} == {"PatternInvalid": closes}


@pytest.mark.parametrize(
    ("written", "needed", "switch"),
    [
        ("auth-secret: users", "auth-type", "auth-type: basic"),
        ("auth-realm: Shop", "auth-type", "auth-type: basic"),
        ("auth-signin: https://a.example/in", "auth-url", "auth-url: http://a.example/"),
        ("auth-response-headers: X-User", "auth-url", "auth-url: http://a.example/"),
        ("session-cookie-name: route", "affinity: cookie", "affinity: cookie"),
        ("canary-weight: '10'", 'canary: "true"', "canary: 'true'"),
        ("cors-max-age: '10'", 'enable-cors: "true"', "enable-cors: 'true'"),
        ("proxy-ssl-verify: 'on'", "proxy-ssl-secret", "proxy-ssl-secret: shop/pods"),
    ],
)
def test_what_does_nothing_without_another_annotation_is_told_so(written: str, needed: str, switch: str) -> None:
    name = written.partition(":")[0]
    alone, beside = (
        checked(manifest(f"{{{text}}}")) for text in (f"{PREFIX}{written}", f"{PREFIX}{written}, {PREFIX}{switch}")
    )
    (finding,) = [one for one in alone.findings if one.field == f"{PREFIX}{name}"]
    assert (finding.verdict, finding.reason) == (Verdict.WITHOUT_EFFECT, f"needs {needed}, which is not here")
    assert verdicts(beside)[name] in (Verdict.HONOURED, Verdict.DIFFERENT)


def test_what_the_controllers_configmap_turns_on_is_not_lacking() -> None:
    settings = msgspec.structs.replace(SETTINGS, configmap=NamespacedName("remora", "controller"))
    configmap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: controller, namespace: remora}\ndata: {%s}\n"
    text = manifest("{remora.io/auth-timeout: '5'}")
    for data, wanted in (
        ("global-auth-url: http://a.example/", Verdict.HONOURED),
        ("use-gzip: 'true'", Verdict.WITHOUT_EFFECT),
    ):
        report = checked(text, configmap % data, settings=settings)
        assert verdicts(report)["remora.io/auth-timeout"] is wanted


def test_every_annotation_that_is_said_to_need_another_is_one() -> None:
    names = {name for need in NEEDS for name in need.names}
    assert {name for name in names if not (find_row(f"{PREFIX}{name}") or find_row(f"remora.io/{name}"))} == set()
