"""What `remora doctor` makes of facts about a machine and its local clusters."""

import pytest

from remora.report.doctor.finding import Finding, Level
from remora.report.doctor.machine import (
    DirectoryFacts,
    HAProxyFacts,
    PortFacts,
    Version,
    judge_descriptors,
    judge_directory,
    judge_haproxy,
    judge_kubectl,
    judge_loopback,
    judge_port,
    judge_python,
)
from remora.report.doctor.profiles import ProfileFacts, judge_profile

BUILD = """HAProxy version 2.8.25-5cf5d0683 2026/06/26
Feature list : {features}
"""


def levels(findings: "list[Finding]") -> list[Level]:
    for one in findings:
        assert one.level is Level.OK or (one.why and one.todo), one
    return [one.level for one in findings]


@pytest.mark.parametrize(("version", "level"), [((3, 11, 0), Level.OK), ((3, 14, 1), Level.OK), ((3, 10, 9), Level.PROBLEM)])
def test_python(version: tuple[int, ...], level: Level) -> None:
    assert levels([judge_python(version)]) == [level]


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ("+LUA +OPENSSL +PCRE2 +PCRE2_JIT", [Level.OK]),
        ("+LUA +OPENSSL +PCRE -PCRE_JIT", [Level.OK]),
        ("-LUA +OPENSSL +PCRE", [Level.OK, Level.PROBLEM]),
        ("+LUA -OPENSSL -PCRE -PCRE2", [Level.OK, Level.PROBLEM, Level.WARNING]),
    ],
)
def test_haproxy_s_features(features: str, found: list[Level]) -> None:
    assert levels(list(judge_haproxy(HAProxyFacts("/h", BUILD.format(features=features))))) == found


def test_no_haproxy() -> None:
    (one,) = judge_haproxy(HAProxyFacts(refusal="/h is HAProxy 2.4; 2.8 or newer is needed"))
    assert one.level is Level.PROBLEM
    assert "2.4" in one.why


@pytest.mark.parametrize(
    ("client", "server", "level"),
    [
        ((1, 35), (1, 36), Level.OK),
        ((1, 37), (1, 36), Level.OK),
        ((1, 32), (1, 36), Level.WARNING),
        ((1, 32), None, Level.OK),
        (None, None, Level.WARNING),
    ],
)
def test_kubectl_is_at_most_a_version_away(client: Version | None, server: Version | None, level: Level) -> None:
    assert levels([judge_kubectl(client, server)]) == [level]


def test_a_port_that_is_taken_is_told_with_who_has_it() -> None:
    taken = judge_port(PortFacts("0.0.0.0", 80, "the controller", holder="nginx (pid 7)"))
    assert (taken.level, "nginx (pid 7)" in taken.why, "nginx (pid 7)" in taken.todo) == (Level.WARNING, True, True)
    refused = judge_port(PortFacts("0.0.0.0", 80, "the controller", refusal="Permission denied"))
    assert (refused.level, "CAP_NET_BIND_SERVICE" in refused.todo) == (Level.WARNING, True)
    assert judge_port(PortFacts("0.0.0.0", 80, "the controller")).level is Level.OK
    own = judge_port(PortFacts("0.0.0.0", 80, "the controller", cluster="127.64.192.1"))
    assert (own.level, own.todo) == (Level.OK, "")
    assert "127.64.192.1:80" in own.what


@pytest.mark.parametrize(
    ("soft", "hard", "level"),
    [(1024, 1024, Level.PROBLEM), (1024, 20_000, Level.WARNING), (1024, 1 << 20, Level.OK), (1024, -1, Level.OK)],
)
def test_descriptors(soft: int, hard: int, level: Level) -> None:
    assert levels([judge_descriptors(soft, hard)]) == [level]


def test_loopback() -> None:
    assert levels([judge_loopback([]), judge_loopback(["127.64.0.1 (Cannot assign requested address)"])]) == [
        Level.OK,
        Level.PROBLEM,
    ]


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (DirectoryFacts("/s", free=50 << 30), Level.OK),
        (DirectoryFacts("/s", refusal="it belongs to user 0"), Level.PROBLEM),
        (DirectoryFacts("/s", free=1 << 20), Level.PROBLEM),
        (DirectoryFacts("/s", free=50 << 30, free_inodes=0), Level.PROBLEM),
        (DirectoryFacts("/s", free=500 << 20), Level.WARNING),
        (DirectoryFacts("/s", free=50 << 30, is_open_to_others=True), Level.WARNING),
    ],
)
def test_the_state_directory(facts: DirectoryFacts, level: Level) -> None:
    assert levels([judge_directory(facts)]) == [level]


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        (ProfileFacts("default", "/s/default"), Level.OK, "is down"),
        (ProfileFacts("default", "/s/default", pid=7, answers=True), Level.OK, "runs (pid 7)"),
        (ProfileFacts("ci", "/s/ci", pid=7), Level.PROBLEM, "remora down --profile ci"),
        (ProfileFacts("default", "/s/default", leftovers=tuple(range(10, 17))), Level.WARNING, "10, 11, 12, 13, 14 and 2 more"),
        (ProfileFacts("default", "/s/default", unreadable="no JSON"), Level.PROBLEM, "remove the folder /s/default"),
    ],
)
def test_a_profile(facts: ProfileFacts, level: Level, said: str) -> None:
    (found,) = judge_profile(facts)
    assert levels([found]) == [level]
    assert said in f"{found.what} {found.why} {found.todo}"
