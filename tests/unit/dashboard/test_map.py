"""The map as elements."""

from remora.dashboard.fragments import Element, differences, render
from remora.dashboard.history import History, extended
from remora.dashboard.map import map_elements
from remora.dashboard.map_view import map_view
from remora.dashboard.view import Wanted
from tests.support.traffic import START, pod, report, route


def _map_of(history: History) -> Element:
    return next(one for one in map_elements(map_view(history, Wanted())) if one.id == "map")


def test_of_two_thousand_pods_one_change_sends_the_figures_of_one() -> None:
    pods = [pod(f"web-abc-{number}", sessions=number) for number in range(2000)]
    first = extended(History(), report(route(), *pods))
    second = extended(first, report(route(), pod("web-abc-0", sessions=7777), *pods[1:], at=START + 1))
    shown = _map_of(first)
    assert render(shown).count('class="tile ready"') == 2000
    (sent,) = differences(shown, _map_of(second))
    assert "7.8k" in str(sent)


def test_a_first_visit_says_what_to_type() -> None:
    assert "kubectl create ingress" in render(_map_of(extended(History(), report())))
