"""`remora migrate` as it is typed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from remora.cli.main import app
from remora.cli.migrate_input import as_manifest
from remora.cli.render.migrate import comparison_summary, show_comparison
from remora.cli.replay import base_url
from remora.cli.switching import parse_selector, read_comparison
from remora.core.errors import UsageError
from remora.migrate.compare import Comparison, Difference

EXAMPLES = str(Path(__file__).parents[3] / "examples" / "migration")
REFUSED = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {nginx.ingress.kubernetes.io/affinity: "a|b"}}
spec: {ingressClassName: nginx}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["migrate", *arguments])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.exit_code, result.stdout


def test_a_plan_is_a_table_and_a_diff() -> None:
    code, said = run("plan", EXAMPLES, "--rewrite")
    assert code == 0
    assert "FLAG" in said
    assert "30 Ingresses: " in said
    assert "\n+apiVersion: networking.k8s.io/v1\n" in said


def test_a_plan_is_markdown_for_a_review() -> None:
    code, said = run("plan", EXAMPLES, "-o", "markdown", "--rewrite")
    assert code == 0
    assert said.startswith("**remora migrate plan**: 30 Ingresses: ")
    assert "| ingress | verdict | what |" in said
    assert "```diff" in said


def test_what_is_refused_fails(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(REFUSED)
    code, said = run("plan", str(tmp_path))
    assert code == 1
    assert "default/web   refused   nginx.ingress.kubernetes.io/affinity: refused: " in said
    (tmp_path / "web.yaml").write_text(REFUSED + "  - broken")
    code, said = run("plan", str(tmp_path), "-o", "markdown")
    assert code == 1
    assert "unreadable" in said


def test_the_files_are_written(tmp_path: Path) -> None:
    assert run("plan", EXAMPLES, "--write", str(tmp_path / "out"))[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["remora.yaml", "shadow.yaml", "steps.md"]
    assert all(yaml.safe_load_all((tmp_path / "out" / "shadow.yaml").read_text()))


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("plan", "--cluster", EXAMPLES),
        ("plan", "/no/such/place"),
        ("compare", "--old", "127.0.0.1", "--new", "127.0.0.1"),
        ("compare", "--old", "ftp://x", "--new", "127.0.0.1", EXAMPLES),
        ("compare", "--old", "127.0.0.1", "--new", "127.0.0.1", "--access-log", "/no/such/log"),
        ("switch", "--service", "none"),
        ("switch", "--watch", "soon"),
        ("switch", "--selector", "app"),
        ("switch", "--comparison", "/no/such/file"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run(*arguments)


COMPARE = ("compare", "--old", "127.0.0.1", "--new", "127.0.0.1", EXAMPLES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*COMPARE, "--pod-by", "regex:["), "--pod-by: found '[', which is no regular expression: "),
        ((*COMPARE, "--pod-by", "foo"), "--pod-by: found 'foo', needed auto, header:NAME, json:KEY or regex:PATTERN"),
        ((*COMPARE, "--pod-by", "header:"), "--pod-by: found 'header:'"),
        ((*COMPARE, "--ignore-body", "["), "--ignore-body: found '[', which is no regular expression: "),
        ((*COMPARE, "--methods", "GET,FOO"), "--methods: found 'FOO', needed some of GET, HEAD, "),
        ((*COMPARE, "--sessions", "-1"), "--sessions: found -1, needed 0 or more"),
        (("switch", "--accept", "nosuch"), "--accept: found 'nosuch', needed one of problems, comparison, "),
        (("switch", "--max-errors", "-5"), "--max-errors: found -5, needed percent from 0 to 100"),
        (("switch", "--old-errors", "nan"), "--old-errors: found nan, needed percent from 0 to 100"),
        (("switch", "--max-broken", "-1"), "--max-broken: found -1, needed 0 or more"),
        (("switch", "--interval", "0s"), "--interval: found '0s', needed at least 0.1s"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(*arguments)
    assert str(raised.value).startswith(said)


def test_requests_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("GET web.test/\nnonsense\n")
    with pytest.raises(UsageError, match="line 2"):
        run("compare", "--old", "127.0.0.1", "--new", "127.0.0.1", "--requests", str(tmp_path / "requests"))


def test_what_nobody_answers_is_no_clean_comparison(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("GET web.test/\n")
    (tmp_path / "log").write_text('nonsense\n{"host": "web.test", "uri": "/x"}\n')
    logs = ("--requests", str(tmp_path / "requests"), "--access-log", str(tmp_path / "log"))
    code, said = run("compare", "--old", "127.0.0.1:1", "--new", "127.0.0.1:1", *logs, "-o", "json")
    assert (code, json.loads(said)["requests"]) == (1, 2)


def test_addresses_have_a_scheme_or_none() -> None:
    assert base_url("192.0.2.1:81", "--old") == "http://192.0.2.1:81"
    assert base_url("https://192.0.2.1/", "--old") == "https://192.0.2.1"


def test_a_comparison_is_read_back_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    found = Comparison(5, 2, 1, (Difference("GET a/", "body", "x", "y", "why"),), taken_at="2026-11-21T10:00:00Z")
    show_comparison(found, "json")
    check = read_comparison(capsys.readouterr().out.encode(), datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert (check.is_met, check.note) == (True, "5 requests and 2 sessions compared, 0 differences")
    show_comparison(found, "markdown")
    assert "| GET a/ | body | x | y | expected: why |" in capsys.readouterr().out
    show_comparison(found, "text")
    assert capsys.readouterr().out.endswith(comparison_summary(found) + "\n")
    assert not read_comparison(None, datetime.now(UTC)).is_met
    with pytest.raises(UsageError):
        read_comparison(b"{}", datetime.now(UTC))


def test_selectors_are_labels_with_commas_between_them() -> None:
    assert parse_selector("a=b, c/d=e") == {"a": "b", "c/d": "e"}


def test_objects_of_a_cluster_are_shown_as_one_would_write_them() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}
    metadata = {"name": "web", "namespace": "n", "uid": "1", "managedFields": [], "annotations": annotations}
    text = as_manifest({"apiVersion": "networking.k8s.io/v1", "metadata": metadata, "spec": {"rules": []}, "status": {}})
    assert yaml.safe_load(text) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "n", "annotations": {"a": "b"}},
        "spec": {"rules": []},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c", ":1: unreadable: not YAML: "),
        ("a: " + "[" * 3000, ":1: unreadable: it is nested too deeply"),
        ("x: 1\n---\nkind: Deployment\nspec: 7", ":2: unreadable: Deployment: spec: found 7, needed an object"),
    ],
)
def test_a_file_that_cannot_be_read_costs_the_plan_no_more_than_itself(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "web.yaml").write_text(REFUSED.replace("a|b", "cookie"))
    broken = tmp_path / "broken.yaml"
    broken.write_text(text)
    code, told = run("plan", str(broken), str(tmp_path / "web.yaml"), "--rewrite")
    assert code == 1
    assert f"{broken}{said}" in told
    assert "default/web   stays" in told


def test_a_broken_document_does_not_hide_the_controller_beside_it(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "a: [1\n---\nkind: Deployment\nmetadata: {name: in, namespace: edge}\n"
        "spec: {template: {spec: {containers: [{image: ingress-nginx/controller, args: [--watch-namespace=shop]}]}}}\n"
    )
    code, said = run("plan", str(tmp_path / "all.yaml"), "-o", "json")
    assert code == 1
    assert json.loads(said)["controller"]["workload"] == "Deployment edge/in"
