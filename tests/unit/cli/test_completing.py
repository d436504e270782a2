"""What words may become, in the shells that there are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remora.cli.completing import _completer
from remora.cli.contexts import read_contexts, usual_namespace
from remora.core.errors import ApiServerUnreachable

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


def typed(environment: dict[str, str], shell: str, *lines: str) -> list[list[str]]:
    """What each line is completed with."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    command = {"bash": _in_bash, "fish": _in_fish}[shell](lines)
    done = subprocess.run([shell, "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return [block.split() for block in done.stdout.split("==\n")[1:]]


def _in_bash(lines: tuple[str, ...]) -> str:
    asked = []
    for line in lines:
        words = [f"'{word}'" for word in line.split(" ")]
        asked.append(f"echo ==; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
        asked.append('_remora_completion remora; printf "%s\\n" "${COMPREPLY[@]}"')
    return "source <(remora completion bash); complete -p remora >/dev/null; " + "; ".join(asked)


def _in_fish(lines: tuple[str, ...]) -> str:
    asked = (f"echo ==; complete -C '{line}' | string split -f1 \\t" for line in lines)
    return "remora completion fish | source; " + "; ".join(asked) + "; true"


def test_commands_options_values_and_contexts_are_completed_in_bash(environment: dict[str, str]) -> None:
    # A shell would take one of the contexts for a command, so it is left out.
    found = typed(environment, "bash", "remora ta", "remora tail --si", "remora tail --context ")
    assert found == [["tail"], ["--since"], ["production", "shop"]]


def test_fish_completes_too(environment: dict[str, str]) -> None:
    assert typed(environment, "fish", "remora routes --context p") == [["production"]]


def test_a_cluster_that_does_not_answer_costs_no_word_to_the_person(environment: dict[str, str]) -> None:
    assert typed(environment, "bash", "remora tail ") == [[]]


def test_zsh_takes_the_script(environment: dict[str, str]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not on this machine")
    words = "autoload -Uz compinit; compinit -u -D; source <(remora completion zsh); print $_comps[remora]"
    done = subprocess.run(["zsh", "-f", "-c", words], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("_remora_completion\n", "")


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
