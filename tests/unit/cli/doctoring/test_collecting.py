"""Facts for `remora doctor`, and that one check that fails or hangs does not stop the others."""

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest

from remora.cli.doctoring.examine import Check, _one, run_checks
from remora.cli.doctoring.kubernetes import controllers_of, flag
from remora.cli.doctoring.listening import Listener, holders, parse_listeners
from remora.cli.doctoring.machine import parse_version, read_directory, read_port
from remora.cluster.profile import make_profile
from remora.core.errors import UsageError
from remora.kube.objects.meta import ObjectMeta
from remora.kube.objects.running_pod import Container, PodSpec, RunningPod
from remora.report.doctor.finding import Finding, Level, ok

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0 0 0 7
"""


def test_the_kernel_s_tables_tell_who_listens() -> None:
    assert list(parse_listeners(TCP)) == [Listener("127.0.0.1", 8080, 4242)]
    assert list(parse_listeners(TCP6)) == [Listener("::", 80, 7)]


def test_who_listens_everywhere_has_every_address() -> None:
    listeners = [Listener("::", 80, 7), Listener("127.0.0.1", 8080, 1)]
    assert [one.inode for one in holders(listeners, "127.0.0.1", 80)] == [7]
    assert [one.inode for one in holders(listeners, "0.0.0.0", 8080)] == [1]
    assert holders(listeners, "127.0.0.2", 8080) == []


def test_a_port_s_holder_is_found_by_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        facts = read_port("127.0.0.1", server.getsockname()[1], "a test")
    assert f"(pid {os.getpid()})" in facts.holder
    assert read_port("192.0.2.1", 80, "a test").refusal


def test_a_directory_that_is_not_there_is_judged_by_what_it_would_be_made_in(tmp_path: Path) -> None:
    facts = read_directory(tmp_path / "a" / "b")
    assert (facts.path, facts.refusal, facts.free > 0) == (str(tmp_path), "", True)


def test_a_profile_that_was_never_started_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remora.cli.doctoring.local_profiles import read_profile_ports, read_profiles

    monkeypatch.setenv("REMORA_HOME", str(tmp_path))
    make_profile("ci", claimed=())
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "profile.json").write_text("{")
    bad, ci = read_profiles()
    assert (ci.name, ci.pid, ci.leftovers) == ("ci", 0, ())
    assert "cannot be read" in bad.unreadable
    assert list(read_profile_ports()) == []


@pytest.mark.parametrize(
    ("said", "version"),
    [({"major": "1", "minor": "36"}, (1, 36)), ({"major": "1", "minor": "27+"}, (1, 27)), ({"major": "", "minor": ""}, None)],
)
def test_versions(said: dict[str, str], version: tuple[int, int] | None) -> None:
    assert parse_version(said) == version


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--election-id=a"], "a"),
        (["controller", "-election-id", "a", "--v=2"], "a"),
        (["--election-id", "--v=2"], "true"),
        (["--election-id-of-another=a", "election-id"], ""),
    ],
)
def test_flags_of_other_programs_are_read_as_go_does(words: list[str], value: str) -> None:
    assert flag(words, "election-id") == value


def pod(_name: str, **labels: str) -> RunningPod:
    named = {f"app.kubernetes.io/{key}": text for key, text in labels.items()}
    container = Container("c", "remora:1", args=("controller", "--ingress-class=edge", "--shadow", "--watch-namespace=shop"))
    return RunningPod(ObjectMeta(_name, "infra", labels=named), PodSpec(containers=(container,), service_account_name="edge"))


def test_replicas_are_one_controller_and_a_webhook_is_none() -> None:
    pods = [
        pod("a", name="remora", component="controller"),
        pod("b", name="remora"),
        pod("w", name="remora", component="webhook"),
    ]
    (found,) = controllers_of(pods)
    assert (found.name, found.pods, found.running, found.account) == ("infra/remora-controller", 2, 0, "edge")
    assert (found.is_shadow, found.watched, found.names) == (True, "shop", frozenset({"edge", "remora"}))


async def test_a_check_that_fails_or_hangs_is_a_finding_and_stops_no_other() -> None:
    never = threading.Event()

    async def fine() -> list[Finding]:
        return [ok("fine", "all is well")]

    async def refuses() -> list[Finding]:
        raise UsageError("it cannot be")

    async def is_wrong() -> list[Finding]:
        raise ZeroDivisionError("of the check")

    async def hangs() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    checks = [
        Check("hangs in a thread", lambda: _one(never.wait, lambda _: [])),
        Check("hangs", hangs),
        Check("refuses", refuses),
        Check("is wrong", is_wrong),
        Check("fine", fine),
    ]
    found = await run_checks(checks, 0.2)
    never.set()
    assert [(one.check, one.level) for one in found] == [
        ("hangs in a thread", Level.WARNING),
        ("hangs", Level.WARNING),
        ("refuses", Level.WARNING),
        ("is wrong", Level.WARNING),
        ("fine", Level.OK),
    ]
    assert ["0.2 s" in one.why for one in found[:2]] == [True, True]
    assert (found[2].why, found[3].why) == ("it cannot be", "ZeroDivisionError: of the check")
