"""Profiles on disk, their numbers, and who runs one."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from remora.cluster.lock import claimed_indexes, find_runner, running_as
from remora.cluster.profile import Profile, delete_profile, find_profile, make_profile, profiles, write_profile
from remora.cluster.start import Ports, starting
from remora.core.errors import ConfigurationError, UsageError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))


def test_a_profile_is_found_again_with_its_number() -> None:
    made = make_profile("default", claimed=())
    assert find_profile("default") == made
    assert make_profile("default", claimed=()) == made


def test_profiles_have_different_numbers() -> None:
    first, second = make_profile("default", claimed=()), make_profile("other", claimed=())
    assert first.index != second.index
    assert [profile.name for profile in profiles()] == ["default", "other"]


def test_the_number_of_a_running_cluster_of_another_home_is_not_used() -> None:
    usual = make_profile("default", claimed=()).index
    delete_profile(make_profile("default", claimed=()))
    assert make_profile("default", claimed={usual}).index != usual


def test_the_usual_home_starts_with_number_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMORA_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = make_profile("default", claimed=())
    assert (made.index, made.directory) == (0, tmp_path / "remora" / "default")


def test_a_name_that_is_no_label_is_refused() -> None:
    with pytest.raises(UsageError, match="lower-case letters"):
        find_profile("../etc")


def test_a_deleted_profile_is_gone() -> None:
    made = make_profile("default", claimed=())
    delete_profile(made)
    assert find_profile("default") is None
    assert not made.directory.exists()


def test_who_runs_a_profile_is_known_and_a_second_one_is_refused() -> None:
    profile = make_profile("default", claimed=claimed_indexes())
    assert find_runner(profile) is None
    with running_as(profile):
        assert find_runner(profile) == os.getpid()
        assert profile.index in claimed_indexes()
        with pytest.raises(UsageError, match=rf"runs already \(pid {os.getpid()}\).*remora down"), running_as(profile):
            pass
    assert find_runner(profile) is None
    assert profile.index not in claimed_indexes()


def test_a_new_profile_gives_way_to_a_cluster_that_chose_the_same_addresses_and_was_quicker(tmp_path: Path) -> None:
    made = make_profile("default", claimed=claimed_indexes())
    elsewhere = Profile("quicker", tmp_path / "elsewhere", made.choices)
    with running_as(elsewhere), starting("default", Ports()) as start:
        assert start.profile.index != made.index
        assert find_profile("default") == start.profile
    elsewhere = Profile("quicker", elsewhere.directory, start.profile.choices)
    refused = pytest.raises(UsageError, match="uses the addresses of profile default")
    with running_as(elsewhere), refused, starting("default", Ports()):
        pass


def test_a_killed_process_holds_nothing() -> None:
    profile = make_profile("default", claimed=claimed_indexes())
    program = textwrap.dedent("""
        import time
        from remora.cluster.lock import running_as
        from remora.cluster.profile import find_profile
        with running_as(find_profile("default")):
            print("running", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"running\n"
        assert find_runner(profile) == process.pid
        process.kill()
    assert find_runner(profile) is None


def test_a_profile_that_cannot_be_read_says_how_to_begin_anew_and_stops_no_other(tmp_path: Path) -> None:
    broken = make_profile("broken", claimed=())
    (broken.directory / "profile.json").write_text("{bad")
    with pytest.raises(ConfigurationError, match=f"remove the folder {tmp_path}/broken"):
        find_profile("broken")
    assert make_profile("other", claimed=()).name == "other"
    assert [(one.name, bool(one.damage)) for one in profiles()] == [("broken", True), ("other", False)]


def test_commands_name_the_profile_unless_it_is_the_default_one() -> None:
    assert make_profile("default", claimed=()).option == ""
    assert make_profile("other", claimed=()).option == " --profile other"


@pytest.mark.parametrize("part", ["a b", "$HOME", "a,b", "ä" * 40, "x" * 80])
def test_sockets_lie_where_haproxy_can_have_them(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path / part))
    assert str(make_profile("default", claimed=()).services).startswith("/tmp/remora-")


def test_two_processes_that_write_a_profile_at_once_do_not_take_each_other_s_draft(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = make_profile("test", claimed=())
    drafts: list[Path] = []
    monkeypatch.setattr(Path, "replace", lambda draft, target: drafts.append(draft))
    for pid in (1, 2):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        write_profile(profile)
    assert len(set(drafts)) == 2
