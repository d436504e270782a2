"""What Helm makes of our chart. Helm is large, so its answers are kept in `tests/golden/helm`, with the chart's digest.

`make clients` installs it; `python -m tests.support.helm` writes the answers anew.
"""

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "remora"
GOLDEN = ROOT / "tests" / "golden" / "helm"
CASES = tuple(sorted(path.name.removesuffix(".values.yaml") for path in GOLDEN.glob("*.values.yaml")))
HAS_HELM = importlib.util.find_spec("helm_python") is not None
NAMESPACE = "ingress-remora"

_RENDER = """
import json, sys
import helm_python
asked = json.load(sys.stdin)
with helm_python.Chart.load(asked["chart"]) as chart:
    print(json.dumps(chart.render(asked["values"], name="remora", namespace=asked["namespace"])))
"""


def rendered(values: dict[str, Any]) -> dict[str, str]:
    """Helm's answer, template by template. In a process of its own: a Go program in pytest's would have its own signals."""
    asked = json.dumps({"chart": str(CHART), "values": values, "namespace": NAMESPACE})
    done = subprocess.run([sys.executable, "-c", _RENDER], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def values_of(case: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((GOLDEN / f"{case}.values.yaml").read_text())
    return values


def text_of(case: str) -> str:
    """What is to be in the golden file: objects in an order of their own, after what they were made of."""
    answer = rendered(values_of(case))
    found = [obj for name, text in sorted(answer.items()) if name.endswith(".yaml") for obj in yaml.safe_load_all(text) if obj]
    return f"# {digest(case)}\n" + yaml.safe_dump_all(found, sort_keys=False)


def digest(case: str) -> str:
    """Of everything that Helm's answer depends on."""
    files = sorted(path for path in CHART.rglob("*") if path.is_file() and path.suffix != ".txt")
    made = hashlib.sha256()
    for path in (*files, GOLDEN / f"{case}.values.yaml"):
        made.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return made.hexdigest()


def golden(case: str) -> str:
    return (GOLDEN / f"{case}.yaml").read_text()


def objects_of(case: str) -> list[dict[str, Any]]:
    return [obj for obj in yaml.safe_load_all(golden(case)) if obj]


if __name__ == "__main__":
    for one in CASES:
        (GOLDEN / f"{one}.yaml").write_text(text_of(one))
