"""Manifests brought up to date keep everything else as it was written."""

import pytest
import yaml

from remora.migrate.rewrite import current_name, rewrite, unified_diff

BETA = """\
# top
apiVersion: extensions/v1beta1   # old
kind: Ingress
metadata:
  name: web
  annotations:
    kubernetes.io/ingress.class: nginx # our class
    ingress.kubernetes.io/affinity: "cookie"
spec:
  backend: {serviceName: a, servicePort: http}
  rules:
    - host: a.test   # the host
      http:
        paths:
          - path: /x
            backend:
              serviceName: web   # the service
              servicePort: 80  # port
          - backend:
              servicePort: http
              serviceName: "web"
            path: /y
"""
WANTED = """\
# top
apiVersion: networking.k8s.io/v1   # old
kind: Ingress
metadata:
  name: web
  annotations:
    # our class
    nginx.ingress.kubernetes.io/affinity: "cookie"
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: a, port: {name: http}}}
  rules:
    - host: a.test   # the host
      http:
        paths:
          - path: /x
            pathType: ImplementationSpecific
            backend:
              service:
                name: web   # the service
                port:
                  number: 80  # port
          - pathType: ImplementationSpecific
            backend:
              service:
                port:
                  name: http
                name: "web"
            path: /y
"""
JSON = (
    '{"apiVersion": "networking.k8s.io/v1beta1", "kind": "Ingress", "metadata": {"name": "j", "annotations": '
    '{"a": "b", "kubernetes.io/ingress.class": "nginx"}}, "spec": {"rules": [{"http": {"paths": '
    '[{"path": "/", "backend": {"serviceName": "w", "servicePort": 80}}]}}]}}'
)


def test_a_beta_ingress_becomes_current_and_keeps_its_comments() -> None:
    assert rewrite(BETA) == (WANTED, ())


@pytest.mark.parametrize("text", [WANTED, "kind: ConfigMap\n", "", "a: b\n---\n---\n- 1\n"])
def test_what_is_current_stays_as_it_is(text: str) -> None:
    assert rewrite(text) == (text, ())


def test_json_stays_json() -> None:
    after, left = rewrite(JSON)
    found = yaml.safe_load(after)
    assert left == ()
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["ingressClassName"] == "nginx"
    (path,) = found["spec"]["rules"][0]["http"]["paths"]
    wanted = {"path": "/", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "w", "port": {"number": 80}}}}
    assert path == wanted
    assert after.startswith('{"apiVersion": "networking.k8s.io/v1", ')


def test_items_of_lists_and_every_document_are_rewritten() -> None:
    items = "".join(f"  {line}\n" if line else "\n" for line in BETA.splitlines())
    text = f"kind: List\nitems:\n- {items.removeprefix('  ')}---\n{BETA}"
    after, left = rewrite(text)
    assert left == ()
    assert after.count("networking.k8s.io/v1 ") == 2
    assert [type(one) for one in yaml.safe_load_all(after)] == [dict, dict]


def test_a_template_is_left_alone_and_said() -> None:
    text = "kind: Ingress\nmetadata: {{ .Values }\n"
    after, (left,) = rewrite(text)
    assert after == text
    assert "render templates first" in left.reason


def test_a_backend_without_a_port_is_left_to_a_person() -> None:
    after, (left,) = rewrite(BETA.replace("              servicePort: 80  # port\n", ""))
    assert left.reason == "a backend needs serviceName and servicePort"
    assert "serviceName: web   # the service" in after


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("nginx.ingress.kubernetes.io/whitelist-source-range", "nginx.ingress.kubernetes.io/allowlist-source-range"),
        ("ingress.kubernetes.io/affinity", "nginx.ingress.kubernetes.io/affinity"),
        ("nginx.ingress.kubernetes.io/affinity", ""),
        ("nginx.ingress.kubernetes.io/no-such-thing", ""),
        ("example.com/affinity", ""),
        ("affinity", ""),
    ],
)
def test_annotations_of_old_have_names_of_today(key: str, wanted: str) -> None:
    assert current_name(key) == wanted


def test_an_annotation_that_stands_there_under_both_names_is_left_alone() -> None:
    text = (
        "kind: Ingress\nmetadata:\n  annotations:\n    nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8\n"
        "    nginx.ingress.kubernetes.io/allowlist-source-range: 192.0.2.0/24\n"
    )
    assert rewrite(text) == (text, ())


def test_the_last_annotation_leaves_an_empty_mapping() -> None:
    text = "kind: Ingress\nmetadata:\n  annotations:\n    kubernetes.io/ingress.class: nginx\nspec:\n  rules: []\n"
    found = yaml.safe_load(rewrite(text)[0])
    assert found == {"kind": "Ingress", "metadata": {"annotations": {}}, "spec": {"ingressClassName": "nginx", "rules": []}}


def test_the_diff_is_one_that_patch_takes() -> None:
    diff = unified_diff("web.yaml", "a\nb", "a\nc")
    assert diff.splitlines()[:2] == ["--- a/web.yaml", "+++ b/web.yaml"]
    assert "\\ No newline at end of file" in diff


def test_without_a_spec_the_class_stays_where_it_is() -> None:
    text = "kind: Ingress\nmetadata:\n  annotations: {kubernetes.io/ingress.class: nginx}\n"
    after, (left,) = rewrite(text)
    assert (after, left.line) == (text, 3)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{kubernetes.io/ingress.class: nginx, a: b}", "{a: b}"),
        ("{a: b, kubernetes.io/ingress.class: nginx}", "{a: b}"),
        ("{kubernetes.io/ingress.class: nginx}", "{}"),
    ],
)
def test_the_class_is_taken_out_of_annotations_in_braces(before: str, after: str) -> None:
    text = f"kind: Ingress\nmetadata:\n  annotations: {before}\nspec:\n  rules: []\n"
    wanted = f"kind: Ingress\nmetadata:\n  annotations: {after}\nspec:\n  ingressClassName: nginx\n  rules: []\n"
    assert rewrite(text) == (wanted, ())


def test_a_beta_ingress_may_have_a_resource_as_its_backend_and_no_annotations() -> None:
    text = "apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nspec:\n  backend:\n    resource: {kind: Bucket, name: a}\n"
    after, left = rewrite(text)
    assert left == ()
    assert yaml.safe_load(after)["spec"] == {"defaultBackend": {"resource": {"kind": "Bucket", "name": "a"}}}


def test_a_backend_that_is_shared_by_an_anchor_is_rewritten_once() -> None:
    path = "          - path: /{}\n            backend: {}\n"
    first, second = path.format("a", "&web {serviceName: w, servicePort: 80}"), path.format("b", "*web")
    text = f"apiVersion: extensions/v1beta1\nkind: Ingress\nspec:\n  rules:\n    - http:\n        paths:\n{first}{second}"
    after, left = rewrite(text)
    assert left == ()
    backends = [one["backend"] for one in yaml.safe_load(after)["spec"]["rules"][0]["http"]["paths"]]
    assert backends == [{"service": {"name": "w", "port": {"number": 80}}}] * 2


def test_what_stands_there_twice_is_left_to_a_person() -> None:
    key = "kubernetes.io/ingress.class"
    text = f"kind: Ingress\nmetadata:\n  annotations: {{{key}: a, {key}: b}}\nspec:\n  rules: []\n"
    after, (left,) = rewrite(text)
    assert (after, left.reason) == (text, "it says the same thing twice; write it by hand")
