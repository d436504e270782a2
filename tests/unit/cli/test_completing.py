"""What words may become, in the shells that there are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from remora.cli.completing import _completer
from remora.cli.contexts import read_contexts, usual_namespace
from remora.cli.main import app
from remora.core.errors import ApiServerUnreachable
from tests.support.pty_terminal import program

REMORA = Path(sys.executable).parent / "remora"
CONTEXTS = """
current-context: shop
contexts:
- {name: shop, context: {cluster: a, namespace: web}}
- {name: "$(touch /tmp/evil)", context: {cluster: a}}
- {name: production, context: {cluster: a}}
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(CONTEXTS)
    path = f"{REMORA.parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REMORA_")}
    return {**kept, "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig), "PATH": path, "REMORA_HOME": str(tmp_path / "state")}


def script(shell: str, directory: Path) -> Path:
    """The file with what `remora completion` prints."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    file = directory / f"completion.{shell}"
    file.write_text(CliRunner().invoke(app, ["completion", shell]).stdout)
    return file


def typed(environment: dict[str, str], shell: str, command: str) -> list[list[str]]:
    """What each line is completed with."""
    done = subprocess.run([shell, "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return [block.split() for block in done.stdout.split("==\n")[1:]]


def test_bash_completes_commands_and_contexts_and_a_cluster_that_does_not_answer_costs_no_word(
    environment: dict[str, str], tmp_path: Path
) -> None:
    asked = [f"source {script('bash', tmp_path)}; complete -p remora >/dev/null"]
    for line in ("remora ta", "remora tail --context ", "remora tail "):
        words = [f"'{word}'" for word in line.split(" ")]
        asked.append(f"echo ==; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
        asked.append('_remora_completion remora; printf "%s\\n" "${COMPREPLY[@]}"')
    # A shell would take one of the contexts for a command, so it is left out.
    assert typed(environment, "bash", "; ".join(asked)) == [["tail"], ["production", "shop"], []]


def test_fish_completes_too(environment: dict[str, str], tmp_path: Path) -> None:
    command = (
        f"source {script('fish', tmp_path)}; echo ==; complete -C 'remora routes --context p' | string split -f1 \\t; true"
    )
    assert typed(environment, "fish", command) == [["production"]]


def test_zsh_completes_what_is_typed_before_the_tab_key(environment: dict[str, str], tmp_path: Path) -> None:
    begin = f"PROMPT='%% '; autoload -Uz compinit; compinit -u -D; source {script('zsh', tmp_path)}; print be''gun"
    with program(
        ["env", f"PATH={environment['PATH']}", f"KUBECONFIG={environment['KUBECONFIG']}", "zsh", "-f", "-i"]
    ) as terminal:
        terminal.type(f"{begin}\r")
        terminal.wait_for("begun")
        terminal.type("remora routes --context pro\t")
        terminal.wait_for("--context production")


def test_names_that_fit_are_told_in_order_and_trouble_is_silent() -> None:
    words = _completer(lambda params: ["web-1", "web-0", "db", "web-0", "a b", "*"])
    assert [item.value for item in words(_Context(), "web")] == ["web-0", "web-1"]

    def fails(params: object) -> list[str]:
        raise ApiServerUnreachable("no answer")

    assert _completer(fails)(_Context(), "") == []


def test_the_usual_namespace_is_the_context_s(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(CONTEXTS)
    environ = {"KUBECONFIG": f"{tmp_path / 'missing'}:{file}"}
    assert usual_namespace("", "", environ) == "web"
    assert usual_namespace("", "production", environ) == "default"
    assert usual_namespace(str(tmp_path / "missing"), "", {}) == "default"
    assert read_contexts("", environ).current == "shop"
    file.write_text("- no mapping")
    assert read_contexts("", environ).namespaces == {}


class _Context:
    def __init__(self) -> None:
        self.params: dict[str, object] = {}
