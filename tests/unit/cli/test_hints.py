"""What a command says beside an error of its surroundings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remora.cli.hints import hint_for, missing_extra
from remora.cli.main import main
from remora.core.errors import ApiServerRefused, ApiServerUnreachable, RemoraError, UsageError

KUBECONFIG = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: production, context: {cluster: c, user: u}}, {name: ci, context: {cluster: c, user: u}}]
current-context: ci
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ApiServerUnreachable("no"), "`remora doctor`"),
        (ApiServerRefused(status=403, reason="Forbidden", message="no"), "`kubectl auth can-i --list`"),
        (ApiServerRefused(status=401, reason="Unauthorized", message="no"), "log in again"),
    ],
)
def test_an_error_of_the_surroundings_comes_with_the_next_step(error: RemoraError, said: str) -> None:
    assert said in hint_for(error)


def test_a_message_that_says_what_to_type_stands_alone() -> None:
    assert hint_for(UsageError("give FILE")) == ""


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["remora", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    return int(ending.value.code or 0)


def test_who_mistypes_a_context_is_told_which_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG)
    assert ended(monkeypatch, "routes", "--kubeconfig", str(file), "--context", "prod") == 1
    assert "there is no context prod; it has ci, production" in capsys.readouterr().err
    assert ended(monkeypatch, "routes", "--kubeconfig", str(file)) == 1
    assert "to do: `remora doctor`" in capsys.readouterr().err


def test_a_full_disk_and_a_closed_output_are_no_mistakes_of_ours(tmp_path: Path) -> None:
    script = "import sys; from remora.cli.main import main; sys.argv = ['remora', 'profiles', '-o', 'json']; main()"
    home = {**os.environ, "REMORA_HOME": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, env=home, check=False, text=True
        )
    assert (done.returncode, done.stderr) == (1, "remora: the output: No space left on device; make room and try again\n")
    closed = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -c "{script}" >&-'], capture_output=True, env=home, check=False
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up"], "remora: the local cluster needs more packages: pip install 'remora[cluster]'\n"),
        (["dashboard", "--no-open"], "remora: the dashboard needs more packages: pip install 'remora[dashboard]'\n"),
    ],
)
def test_what_an_extra_brings_is_named_where_it_is_missing(tmp_path: Path, words: list[str], said: str) -> None:
    missing = {"uvicorn", "starlette", "jinja2", "httptools", "websockets", "kubernetes_validate"}
    script = f"import sys; sys.modules |= dict.fromkeys({sorted(missing)}); sys.argv = {['remora', *words]}"
    home = {**os.environ, "REMORA_HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; from remora.cli.main import main; main()"],
        capture_output=True, env=home, check=False, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, said)


def test_a_module_that_no_extra_brings_is_a_mistake_of_ours() -> None:
    assert missing_extra("remora.nowhere", ["up"]) == missing_extra("", []) == ""
