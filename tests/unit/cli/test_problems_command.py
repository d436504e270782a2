"""`remora problems`: what it finds and how it says so."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from remora.cli.main import app
from remora.cli.options import Output
from remora.cli.problem_source import Found, ProblemRow
from remora.cli.render.problems import problem_lines, show_problems, summary, watched_lines
from remora.core.errors import UsageError

ROW = ProblemRow(
    "error", "Ingress", "shop", "web", "spec.rules[0]", "PathTaken", "/ is taken\x1b[2J", "it is left out", "remove it"
)
WARNING = ProblemRow("warning", "Pod", "shop", "a", "metadata", "AnnotationRefused", "m", "c", "a")
MANIFESTS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, annotations: {nginx.ingress.kubernetes.io/affinity: coookie}}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}]}
"""


def run(tmp_path: Path, *arguments: str, service: str = "web") -> Result:
    (tmp_path / "all.yaml").write_text(MANIFESTS % service)
    return CliRunner().invoke(app, ["problems", "-f", str(tmp_path), *arguments])


def test_a_problem_is_told_with_what_it_means_and_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path, service="missing")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "error: Ingress shop/web: spec.rules[0].http.paths[0].backend.service (ServiceMissing)" in lines
    assert any(line.startswith("  wrong  there is no Service shop/missing") for line in lines)
    assert any(line.startswith("  to do  create the Service") for line in lines)


def test_warnings_fail_only_where_one_asks_for_it(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "--output", "json").stdout)
    assert [one["severity"] for one in found] == ["warning"]
    assert run(tmp_path).exit_code == 0
    assert run(tmp_path, "--strict").exit_code == 1


def test_json_and_yaml_say_the_same_and_another_namespace_has_none(tmp_path: Path) -> None:
    in_json, in_yaml = run(tmp_path, "--output", "json"), run(tmp_path, "--output", "yaml")
    assert json.loads(in_json.stdout) == yaml.safe_load(in_yaml.stdout)
    assert json.loads(run(tmp_path, "-n", "other", "--output", "json").stdout) == []


def test_what_cannot_go_together_is_refused(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path, "--controller", "http://127.0.0.1:1").exception, UsageError)
    assert isinstance(run(tmp_path, "-f", "-", "--watch").exception, UsageError)


def test_lines_are_wrapped_and_move_no_cursor() -> None:
    lines = list(problem_lines(Found((ROW,)), 40, colour=False))
    assert lines[0] == "error: Ingress shop/web: spec.rules[0] (PathTaken)"
    assert lines[1] == "  wrong  / is taken\\x1b[2J"
    long = ProblemRow("error", "Ingress", "", "web", "f", "Code", "word " * 20, "c", "a")
    assert max(map(len, list(problem_lines(Found((long,)), 40, colour=False))[1:])) <= 40


def test_severities_have_the_colours_of_states() -> None:
    lines = list(problem_lines(Found((ROW, WARNING)), None, colour=True))
    assert lines[0].startswith("\x1b[31merror\x1b[0m: ")
    assert lines[5].startswith("\x1b[33mwarning\x1b[0m: ")


def test_the_summary_counts() -> None:
    assert summary(Found(())) == "No problems."
    assert summary(Found((ROW, WARNING, WARNING))) == "3 problems: 1 error, 2 warnings"


@pytest.mark.parametrize("output", [Output.TEXT, Output.WIDE])
def test_watched_are_the_problems_notes_and_the_summary(output: Output) -> None:
    lines = list(watched_lines(Found((ROW,), ("a note",)), None, False, output=output))
    assert lines[-2:] == ["note: a note", "1 problem: 1 error"]
    assert any("remove it" in line for line in lines)


def test_wide_is_one_line_for_each_problem(capsys: pytest.CaptureFixture[str]) -> None:
    show_problems(Found((ROW, WARNING)), Output.WIDE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("   ")[0] == "SEVERITY"
    assert len([line for line in lines if line]) == 3


def test_files_without_an_ingress_are_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("root:x:0:0\n")
    done = CliRunner().invoke(app, ["problems", "-f", str(tmp_path / "notes.txt")])
    assert "note: there is no Ingress in " in done.stderr
    assert "notes.txt" in done.stderr
    assert "there is no Ingress" not in run(tmp_path).stderr


@pytest.mark.parametrize("command", ["problems", "routes"])
def test_a_file_that_cannot_be_read_fails(tmp_path: Path, command: str) -> None:
    (tmp_path / "web.yaml").write_text("kind: Ingress\nmetadata: {")
    done = CliRunner().invoke(app, [command, "-f", str(tmp_path / "web.yaml")])
    assert done.exit_code == 1
    assert f"note: {tmp_path / 'web.yaml'}:2: not YAML: " in done.stderr
    assert "No problems." not in done.output


@pytest.mark.parametrize("command", ["problems", "routes"])
def test_an_ingress_of_no_class_of_ours_is_noted(tmp_path: Path, command: str) -> None:
    text = (MANIFESTS % "web").replace("coookie", "cookie")
    (tmp_path / "a.yaml").write_text(text.replace("  ingressClassName: nginx\n", ""))
    (tmp_path / "b.yaml").write_text(
        text.replace("ClassName: nginx", "ClassName: other").replace("name: web,", "name: two,", 1)
    )
    done = CliRunner().invoke(app, [command, "-f", str(tmp_path)])
    assert done.exit_code == 0
    assert (
        "a.yaml:1: Ingress shop/web: it names no class, so it is served only with --watch-ingress-without-class" in done.stderr
    )
    assert "b.yaml:1: Ingress shop/two: its class is other; " in done.stderr
    without = CliRunner().invoke(app, [command, "-f", str(tmp_path / "a.yaml"), "--flags=--watch-ingress-without-class"])
    assert "it names no class" not in without.stderr
