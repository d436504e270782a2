"""`remora check` as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import UsageError

GOOD = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
spec: {ingressClassName: nginx}
"""
BAD = GOOD.replace("cookie", "a|b")


def run(*arguments: str, text: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments], input=text)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.exit_code, result.stdout


def test_standard_input_is_checked_line_by_line() -> None:
    code, said = run("-", text=BAD)
    assert code == 1
    assert said.startswith('-:6: Ingress default/web: refused: nginx.ingress.kubernetes.io/affinity "a|b": ')


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_no_annotation_moves_the_cursor(output: str) -> None:
    text = GOOD.replace("affinity: cookie", 'affinity: "\\e[2Ja\\u202e"').replace("name: web", 'name: "we\\eb"')
    _, said = run("-", "-o", output, text=text)
    assert "\\x1b[2Ja\\x202e" in said
    assert not set("\x1b\u202e") & set(said)


def test_the_output_for_people_is_a_table_and_its_former_name_still_counts() -> None:
    assert run("-", "-o", "text", text=GOOD) == run("-", "-o", "table", text=GOOD) == run("-", text=GOOD)
    assert "text" not in CliRunner().invoke(app, ["check", "--help"]).stdout.partition("--output")[2].partition("--help")[0]
    assert CliRunner().invoke(app, ["check", "-", "-o", "xml"], input=GOOD).exit_code == 2


def test_folders_are_searched_for_yaml_and_json_and_hidden_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "values.yaml").write_text("kind of: thing\n")
    (tmp_path / "other.txt").write_text(BAD)
    (tmp_path / "bytes.yml").write_bytes(b"kind: Ingress\n\xff")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "two.yaml").write_text(BAD)
    code, said = run(str(tmp_path), "-o", "json")
    document = json.loads(said)
    assert code == 1
    assert (document["ingresses"], document["counts"]["honoured"]) == (1, 1)
    assert [(one["line"], one["message"]) for one in document["unreadable"]] == [(2, "not UTF-8")]


def test_a_table_for_reviews_quotes_what_would_break_it() -> None:
    _, said = run("-", "-o", "markdown", text=BAD)
    assert r'| -:6 | default/web | `nginx.ingress.kubernetes.io/affinity` "a\|b" | refused |' in said


def test_what_is_to_be_checked_must_be_said_and_be_there() -> None:
    with pytest.raises(UsageError, match="give FILE"):
        run()
    with pytest.raises(UsageError, match="there is no file"):
        run("/no/such/file")


def test_a_broken_file_that_was_named_fails(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("x: 1\n---\na: b: c\n")
    code, said = run(str(file))
    assert code == 1
    assert said.startswith(f"{file}:3: unreadable: not YAML: ")


def test_files_can_be_named_as_other_commands_take_them(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(BAD)
    assert run("-f", str(tmp_path / "web.yaml")) == run(str(tmp_path / "web.yaml"))
    assert run("-f", str(tmp_path / "web.yaml"))[0] == 1
