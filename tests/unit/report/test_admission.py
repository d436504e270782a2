"""What the admission webhook answers."""

import json
import time
from typing import Any

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.objects import ConfigMap, Ingress, ObjectMeta
from remora.report.admission import LARGEST, AdmissionSettings, Ruling, answer_review, judge
from remora.watch.snapshot import Snapshot
from tests.support.kubernetes import ingress_class
from tests.support.translations import snapshot_of

PREFIX = "nginx.ingress.kubernetes.io/"
CONFIGMAP = NamespacedName("ingress-remora", "settings")
ROUTING = RoutingSettings(session_key=b"", configmap=CONFIGMAP)
SETTINGS = AdmissionSettings(ROUTING)


def obj(
    name: str = "web",
    *,
    host: str = "web.test",
    path: str = "/",
    path_type: str = "Prefix",
    annotations: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    meta |= {"annotations": {PREFIX + key if "/" not in key else key: text for key, text in (annotations or {}).items()}}
    backend = {"service": {"name": "missing", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": path_type, "backend": backend}]}}
    return {"metadata": {**meta, **more.pop("metadata", {})}, "spec": {"ingressClassName": "nginx", "rules": [rule], **more}}


def cluster(*objects: dict[str, Any], config: dict[str, str] | None = None) -> Snapshot:
    ingresses = [msgspec.convert(one, Ingress) for one in objects]
    config_map = ConfigMap(ObjectMeta(CONFIGMAP.name, CONFIGMAP.namespace), data=config or {})
    return snapshot_of([ingress_class("nginx"), config_map, *ingresses])


def ruled(one: dict[str, Any], snapshot: Snapshot | None = None, settings: AdmissionSettings = SETTINGS) -> Ruling:
    return judge(msgspec.convert(one, Ingress), snapshot or cluster(), settings)


def review(one: Any, *, operation: str = "CREATE", kind: str = "Ingress", uid: str = "r1") -> bytes:
    request = {
        "uid": uid,
        "kind": {"group": "networking.k8s.io", "version": "v1", "kind": kind},
        "operation": operation,
        "object": one,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def answered(body: bytes) -> dict[str, Any]:
    status, answer = answer_review(body, cluster(), SETTINGS)
    assert status == 200, answer
    response: dict[str, Any] = json.loads(answer)["response"]
    return response


def test_what_is_right_is_allowed_and_the_answer_names_the_question() -> None:
    assert answered(review(obj(), uid="r7")) == {"uid": "r7", "allowed": True}


def test_a_missing_service_or_secret_is_no_reason_to_refuse() -> None:
    wants = obj(
        annotations={"auth-type": "basic", "auth-secret": "later"}, tls=[{"hosts": ["web.test"], "secretName": "later"}]
    )
    assert ruled(wants).refusals == ()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (obj(host="web.test/;root /;"), "spec.rules[0].host"),
        (obj(path="/x;alias /etc/x;", path_type="ImplementationSpecific"), "inject"),
        (obj(path="/etc/passwd"), "inject"),
        (obj(path="/var/run/secrets/x"), "inject"),
        (obj(path="/content_by_lua_block", path_type="ImplementationSpecific"), "inject"),
        (obj(tls=[{"hosts": ["a.test"], "secretName": "x;root /;"}]), "spec.tls[0].secretName"),
        (obj(path="/a(b|c)"), "ImplementationSpecific"),
        (obj(path="/a b", path_type="Exact"), "Exact"),
        (obj(path="web"), "spec.rules[0].http.paths[0].path"),
        (obj(annotations={"auth-type": "nonsense", "auth-secret": "x"}), "auth-type"),
        (obj(annotations={"allowlist-source-range": "everybody"}), "allowlist-source-range"),
        (obj(annotations={"limit-rps": "many"}), "limit-rps"),
        (obj(metadata={"uid": ""}), "metadata.uid"),
    ],
)
def test_what_would_close_a_route_or_inject_something_is_refused(one: dict[str, Any], words: str) -> None:
    refusals = ruled(one).refusals
    assert any(words in refusal for refusal in refusals), refusals
    response = answered(review(one))
    assert response["allowed"] is False
    assert (response["status"]["code"], response["status"]["reason"]) == (400, "BadRequest")
    assert words in response["status"]["message"]


def test_a_regular_expression_is_a_path_where_its_type_says_so_or_the_configmap() -> None:
    assert ruled(obj(path="/a(b|c)", path_type="ImplementationSpecific")).refusals == ()
    assert ruled(obj(path="/a(b|c)"), cluster(config={"strict-validate-path-type": "false"})).refusals == ()


def test_injection_is_not_looked_for_if_so_chosen() -> None:
    settings = AdmissionSettings(ROUTING, deep_inspect=False)
    assert ruled(obj(path="/etc/passwd"), settings=settings).refusals == ()


def test_differences_and_values_without_effect_are_warnings() -> None:
    ruling = ruled(obj(annotations={"proxy-read-timeout": "soon", "afinity": "cookie"}))
    assert ruling.refusals == ()
    assert len(ruling.warnings) == 2
    assert all(len(warning) <= 256 for warning in ruling.warnings)


def test_a_name_that_nobody_reads_is_a_warning_with_what_was_meant() -> None:
    ruling = ruled(obj(annotations={"rate-limit": "100", "session-cookie-hash": "md5"}))
    assert not ruling.refusals
    (warning,) = ruling.warnings
    assert "limit-rps" in warning


def test_there_are_never_more_warnings_than_a_person_reads() -> None:
    ruling = ruled(obj(annotations={f"unknown-{number}": "x" * 9000 for number in range(500)}))
    assert len(ruling.warnings) == 16
    assert "485 more" in ruling.warnings[-1]


def test_snippets_are_refused_where_they_are_switched_off() -> None:
    one = obj(annotations={"configuration-snippet": "more_set_headers 'X-A: b';"})
    refuse = AdmissionSettings(msgspec.structs.replace(ROUTING, snippet_policy="refuse"))
    assert any("snippets" in refusal for refusal in ruled(one, settings=refuse).refusals)
    off = cluster(config={"allow-snippet-annotations": "false"})
    assert any("snippets" in refusal for refusal in ruled(one, off).refusals)


def test_words_of_the_blocklist_and_annotations_above_the_risk_level_are_refused() -> None:
    words = cluster(config={"annotation-value-word-blocklist": "load_module, proxy_pass"})
    assert "proxy_pass" in ruled(obj(annotations={"app-root": "/proxy_pass"}), words).refusals[0]
    low = cluster(config={"annotations-risk-level": "Low"})
    assert ruled(obj(annotations={"auth-url": "http://auth.test/"}), low).refusals


def test_the_usual_prefix_is_refused_where_there_is_another() -> None:
    other = AdmissionSettings(msgspec.structs.replace(ROUTING, annotations_prefixes=("my.prefix",)))
    assert "my.prefix" in ruled(obj(annotations={"enable-cors": "true"}), settings=other).refusals[0]


def test_a_default_backend_is_refused_without_a_catch_all() -> None:
    one = obj(defaultBackend={"service": {"name": "x", "port": {"number": 80}}})
    assert ruled(one).refusals == ()
    strict = AdmissionSettings(msgspec.structs.replace(ROUTING, disable_catch_all=True))
    assert "--disable-catch-all" in ruled(one, settings=strict).refusals[0]


def test_a_path_that_another_ingress_has_is_refused_with_its_name() -> None:
    there = cluster(obj("first"))
    (refusal,) = ruled(obj("second", host="WEB.test"), there).refusals
    assert refusal == 'host "web.test" and path "/" is already defined in Ingress shop/first'
    assert ruled(obj("second", path="/other"), there).refusals == ()
    assert ruled(obj("second", host="other.test"), there).refusals == ()
    assert ruled(obj("first"), there).refusals == (), "it may be written again"


@pytest.mark.parametrize("word", ["true", "false"])
def test_a_canary_may_have_the_path_of_its_main_ingress(word: str) -> None:
    canary = {"canary": word}
    assert ruled(obj("second", annotations=canary), cluster(obj("first"))).refusals == ()
    assert ruled(obj("second"), cluster(obj("first", annotations=canary))).refusals == ()


def test_two_canaries_cannot_have_a_path_that_no_main_ingress_has() -> None:
    canary = {"canary": "true"}
    first = obj("first", annotations=canary)
    assert "shop/first" in ruled(obj("second", annotations=canary), cluster(first)).refusals[0]
    assert ruled(obj("second", annotations=canary), cluster(first, obj("main"))).refusals == ()


def test_what_is_going_or_is_others_is_not_judged() -> None:
    bad: dict[str, Any] = {"annotations": {"auth-type": "nonsense", "auth-secret": "x"}}
    assert ruled(obj(**bad)).refusals
    assert ruled(obj(**bad, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})).refusals == ()
    assert ruled(obj(**bad, ingressClassName="other")).refusals == ()
    assert ruled(obj(**bad), settings=AdmissionSettings(ROUTING, namespace="elsewhere")).refusals == ()
    assert answered(review(None, operation="DELETE"))["allowed"] is True


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"\xff\xfe", 400),
        (b"{}", 400),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": 7}}', 400),
        (b"[" * 100_000, 400),
        (review(obj()).replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), 400),
        (review(obj(), kind="Service"), 500),
        (b" " * LARGEST, 413),
    ],
    ids=range(9),
)
def test_what_is_no_review_of_an_ingress_has_a_status_of_its_own(body: bytes, status: int) -> None:
    assert answer_review(body, cluster(), SETTINGS)[0] == status


@pytest.mark.parametrize("one", [None, [], "text", {"metadata": {}}, {"metadata": {"name": "x"}, "spec": {"rules": 7}}])
def test_an_object_that_is_no_ingress_is_refused(one: Any) -> None:
    response = answered(review(one))
    assert response["allowed"] is False
    assert "cannot be read" in response["status"]["message"]


def test_time_grows_with_the_size_of_a_text_and_no_faster() -> None:
    text = "alias " * 1_000_000
    begun = time.process_time()
    ruled(obj(path=f"/{text}", path_type="ImplementationSpecific"))
    # What looks at every word's rest again takes minutes.
    assert time.process_time() - begun < 20


def test_more_annotations_than_there_can_be_are_refused_unread() -> None:
    (refusal,) = ruled(obj(annotations={f"unknown-{number}": "x" for number in range(1001)})).refusals
    assert "1000" in refusal
    assert ruled(obj(annotations={f"other.io/{number}": "x" for number in range(2000)})).refusals == ()
