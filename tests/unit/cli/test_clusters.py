"""Listing, ending and removing local clusters, also those that are not as they should be."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from remora.cli import local
from remora.cli.main import app
from remora.cluster.lock import claimed_indexes, find_runner
from remora.cluster.profile import make_profile


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))


def test_a_damaged_profile_is_listed_as_such_and_hides_no_other(tmp_path: Path) -> None:
    for name in ("broken", "whole"):
        make_profile(name, claimed=())
    (tmp_path / "broken" / "profile.json").write_text("{bad")
    done = CliRunner().invoke(app, ["profiles"])
    assert done.exit_code == 0
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:3]] == [
        ["broken", "down,", "damaged"],
        ["whole", "down", str(tmp_path / "whole")],
    ]
    assert f"remove the folder {tmp_path}/broken, or `remora delete --profile broken`" in done.stderr
    listed = json.loads(CliRunner().invoke(app, ["profiles", "-o", "json"]).stdout)
    assert [(one["name"], bool(one["damage"])) for one in listed] == [("broken", True), ("whole", False)]


def test_a_damaged_profile_can_be_ended_and_removed(tmp_path: Path) -> None:
    make_profile("broken", claimed=())
    (tmp_path / "broken" / "profile.json").write_text("{bad")
    assert CliRunner().invoke(app, ["down", "--profile", "broken"]).exit_code == 0
    done = CliRunner().invoke(app, ["delete", "--profile", "broken", "-y"])
    assert (done.exit_code, done.stderr) == (0, "Profile broken is removed.\n")
    assert not (tmp_path / "broken").exists()


def test_who_ends_a_cluster_waits_for_its_process_and_not_only_for_its_lock() -> None:
    profile = make_profile("default", claimed=claimed_indexes())
    program = textwrap.dedent("""
        import signal, time
        from remora.cluster.lock import running_as
        from remora.cluster.profile import find_profile
        def end(*_):
            raise SystemExit
        signal.signal(signal.SIGTERM, end)
        try:
            with running_as(find_profile("default")):
                print("running", flush=True)
                time.sleep(60)
        finally:
            time.sleep(1)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"running\n"
        assert local.stop(profile) == process.pid
        assert process.poll() == 0
    assert find_runner(profile) is None
    assert local.stop(profile) is None
