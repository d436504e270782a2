"""Whose a process is, and usage from two looks at all of them."""

import pytest

from remora.cluster.api.node import Figures
from remora.cluster.kubelet.usage import Found, Look, owners, parse_owner, parse_stat, rates

WEB = ("uid-1", "main")


def test_a_process_belongs_where_its_environment_says() -> None:
    assert parse_owner(b"PATH=/bin\0REMORA_POD_UID=uid-1\0REMORA_CONTAINER=main\0") == WEB
    assert parse_owner(b"REMORA_POD_UID=uid-1\0") is None
    assert parse_owner(b"") is None


def test_a_child_without_an_environment_belongs_where_its_parent_does() -> None:
    processes = [Found(3, 2, None, 0, 0), Found(2, 1, WEB, 0, 0), Found(1, 0, None, 0, 0), Found(4, 3, None, 0, 0)]
    assert owners(processes) == {2: WEB, 3: WEB, 4: WEB}


def test_a_command_s_name_may_hold_anything() -> None:
    numbers = " ".join(str(number) for number in range(50))
    parent, cpu, resident = parse_stat(f"12 (a) b (c)) S 7 {numbers}")
    assert parent == 7
    assert cpu > 0
    assert resident > 0


def test_usage_is_the_difference_by_the_time_between() -> None:
    before = Look(10.0, {WEB: Figures(5.0, 1)}, Figures(100.0, 1))
    after = Look(12.0, {WEB: Figures(6.0, 300), ("uid-2", "new"): Figures(0.5, 7)}, Figures(103.0, 900))
    usage = rates(before, after)
    assert usage.window == pytest.approx(2.0)
    assert usage.containers == {WEB: Figures(0.5, 300), ("uid-2", "new"): Figures(0.25, 7)}
    assert usage.node == Figures(1.5, 900)


def test_time_that_went_with_a_process_is_not_negative() -> None:
    before = Look(10.0, {WEB: Figures(5.0, 1)}, Figures(0, 0))
    assert rates(before, Look(11.0, {WEB: Figures(1.0, 1)}, Figures(0, 0))).containers[WEB].cpu == 0
