"""What programs read is the same as JSON and as YAML."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from remora.cli.main import app
from remora.cli.options import Output
from remora.cli.render import image_built
from remora.cluster.images.build import Built
from remora.cluster.kubelet.images import Image

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, annotations: {nginx.ingress.kubernetes.io/affinity: cookie}}
spec:
  ingressClassName: nginx
  rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
"""


@pytest.mark.parametrize(
    "command",
    [
        ("check", "{file}"),
        ("migrate", "plan", "{file}"),
        ("profiles",),
        ("image", "list", "--profile", "ci"),
        ("kubeconfig", "--profile", "ci"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_yaml_says_what_json_says(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ingress.yaml"
    file.write_text(INGRESS)
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / "home"))
    from remora.cluster.profile import make_profile

    make_profile("ci", claimed=()).kubeconfig.write_text("current-context: remora-ci\n")
    words = [word.format(file=file) for word in command]
    texts = [CliRunner().invoke(app, [*words, "--output", output]).stdout for output in ("json", "yaml")]
    assert texts[0].strip() != texts[1].strip() or texts[0].strip() == "[]"
    assert json.loads(texts[0]) == yaml.safe_load(texts[1])


def test_images_are_told_as_yaml_when_they_are_made_and_when_they_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    words = ["--profile", "ci", "--output", "yaml"]
    command = ["sh", "-c", "echo 'a: b'\necho é"]
    added = yaml.safe_load(CliRunner().invoke(app, ["image", "add", "shop/web:1", *words, "--", *command]).stdout)
    assert (added["name"], added["command"]) == ("shop/web:1", command)
    listed = yaml.safe_load(CliRunner().invoke(app, ["image", "list", *words]).stdout)
    assert added in listed
    image_built(Built(Image(name="shop/web:2", command=("true",)), ("no HEALTHCHECK",), 1, 0), "ci", Output.YAML)
    captured = capsys.readouterr()
    assert yaml.safe_load(captured.out)["image"]["name"] == "shop/web:2"
    assert "note: no HEALTHCHECK" in captured.err


def test_the_kubeconfig_is_told_with_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    from remora.cluster.profile import make_profile

    make_profile("ci", claimed=()).kubeconfig.write_text("current-context: remora-ci\n")
    result = CliRunner().invoke(app, ["kubeconfig", "--profile", "ci", "-o", "json"])
    path = str(tmp_path / "ci" / "kubeconfig")
    assert json.loads(result.stdout) == {"profile": "ci", "kubeconfig": path, "context": "remora-ci"}
    assert CliRunner().invoke(app, ["kubeconfig", "--profile", "ci"]).stdout == f"{path}\n"
