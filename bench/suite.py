"""All of the suite, one part after the other, whatever becomes of each; then DESIGN's budgets, and how long it took.

    python bench/suite.py [--quick] [--output DIRECTORY] [--seconds 870] [--only PART ...]

A part has the seconds that it is given here, cut to what is left of all; one that takes longer is ended, and the others go on.
What a part says goes to the terminal and to DIRECTORY/PART.txt, its figures to PART.json.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import budgets
from bench.charts import bars
from bench.measuring import machine, say

HERE = Path(__file__).parent
_UNWINDING = 20
"""Seconds for a part that is ended to take its peers with it."""


@dataclass(frozen=True)
class Part:
    """A script. `writes` is one that knows `--output`; the others print JSON as their last line."""

    name: str
    script: str
    seconds: int
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    writes: bool = False


PARTS = (
    Part("data-plane", "data_plane.py", 330, quick=("--quick",), writes=True),
    Part("stickiness", "stickiness.py", 150, quick=("--quick",), writes=True),
    Part("propagation", "propagation.py", 300, ("--changes", "20"), ("--counts", "100", "--changes", "10"), writes=True),
    Part("scale", "scale.py", 240, quick=("--count", "1000")),
    Part("sticky-request", "sticky_request.py", 60),
    Part("policies", "policies.py", 120, ("--json", "--rounds", "4", "--requests", "2400"), ("--json", "--rounds", "2")),
    Part("cluster", "cluster.py", 150, quick=("--objects", "1000")),
)
"""The first are those that the budgets ask for most."""


@dataclass(frozen=True)
class Done:
    name: str
    seconds: float
    outcome: str


def run(part: Part, output: Path, *, quick: bool, left: float) -> Done:
    """Runs it in a process group of its own, so that whatever it started ends with it."""
    command = [sys.executable, str(HERE / part.script), *(part.quick if quick else part.arguments)]
    command += ["--output", str(output)] if part.writes else []
    limit, began = min(part.seconds, left), time.monotonic()
    if limit < 1:
        return Done(part.name, 0.0, "left out: no time was left")
    say(f"\n=== {part.name}: {' '.join(command[1:])}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    printed: list[str] = []
    readers = [
        threading.Thread(target=_copy, args=(process.stdout, sys.stdout if part.writes else None, printed)),
        threading.Thread(target=_copy, args=(process.stderr, sys.stderr, said)),
    ]
    for reader in readers:
        reader.start()
    outcome = _outcome(process, limit)
    for reader in readers:
        reader.join(5)
    if not part.writes:
        (output / f"{part.name}.txt").write_text("".join(said))
        if printed and printed[-1].startswith("{"):
            (output / f"{part.name}.json").write_text(json.dumps(json.loads(printed[-1]), indent=1) + "\n")
    return Done(part.name, time.monotonic() - began, outcome)


def _copy(source: TextIO, to: TextIO | None, kept: list[str]) -> None:
    for line in source:
        kept.append(line)
        if to:
            to.write(line)
            to.flush()


def _outcome(process: subprocess.Popen[str], limit: float) -> str:
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_UNWINDING)
        _kill(process)
        return f"ended after {limit:.0f} s"
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    _kill(process)
    return "done" if code == 0 else f"failed with {code}"


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def help_seconds() -> float:
    """The median of five runs of `remora --help`."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([str(Path(sys.executable).with_name("remora")), "--help"], check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def read_results(output: Path, names: Sequence[str], since: float) -> dict[str, Any]:
    """What the parts of this run have written."""
    files = {name: output / f"{name}.json" for name in names}
    fresh = {name: file for name, file in files.items() if file.exists() and file.stat().st_mtime >= since}
    return {name: json.loads(file.read_text()) for name, file in fresh.items()}


def draw_policies(output: Path, result: dict[str, Any], note: str) -> None:
    """What requests under each policy cost, beside nginx."""
    groups = {
        one["what"]: {name: statistics.median(figures) for name, figures in one["microseconds"].items()}
        for one in result.get("questions", {}).values()
        if "microseconds" in one
    }
    if groups:
        text = bars("CPU of the proxy for a request under a policy", "microseconds", groups, note=note)
        (output / "policies.svg").write_text(text)


def main(given: argparse.Namespace) -> int:
    output, began, since = Path(given.output), time.monotonic(), time.time()
    output.mkdir(parents=True, exist_ok=True)
    parts = [part for part in PARTS if not given.only or part.name in given.only]
    facts = machine()
    done = [run(part, output, quick=given.quick, left=given.seconds - (time.monotonic() - began)) for part in parts]
    results = read_results(output, [part.name for part in parts], since - 1)
    results["help"] = {"milliseconds": help_seconds() * 1e3}
    note = f"{facts['processor']}, {facts['processors']} processors, load {facts['load']} before"
    draw_policies(output, results.get("policies", {}), note)
    found = budgets.budgets(results)
    (output / "budgets.svg").write_text(budgets.picture(found, note))
    table = budgets.render(found)
    (output / "budgets.txt").write_text(f"{note}\n\n{table}\n")
    print(f"\n{table}\n")
    for one in done:
        print(f"{one.name:20}{one.seconds:6.0f} s   {one.outcome}")
    whole = time.monotonic() - began
    print(f"{'all of it':20}{whole:6.0f} s   figures, texts and pictures are in {output}")
    return 0 if all(one.outcome == "done" for one in done) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look: fewer rounds, fewer objects")
    parser.add_argument("--output", default="build/bench", help="a directory")
    parser.add_argument("--seconds", type=float, default=870, help="for all of it")
    parser.add_argument("--only", nargs="+", metavar="PART", choices=[part.name for part in PARTS], default=[])
    sys.exit(main(parser.parse_args()))
