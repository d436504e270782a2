import msgspec
import pytest

from remora.dashboard.figures import duration, figure, rate_figure
from remora.dashboard.history import History, extended
from remora.dashboard.map_view import map_view, spark
from remora.dashboard.view import Lit, MapView, Wanted, parse_words, visible
from remora.observe.traffic_report import TrafficReport
from tests.support.traffic import START, change, durations, later, pod, problem, report, route


def _map(*reports: TrafficReport, words: str = "", lit: Lit | None = None, namespaces: frozenset[str] | None = None) -> MapView:
    history = History()
    for one in reports:
        history = extended(history, one)
    return map_view(history, Wanted(parse_words(words), lit), namespaces)


def test_rules_that_lead_to_one_service_stand_together_before_its_pods() -> None:
    view = _map(report(route(path="/a"), route(path="/b"), route(path="/c", service="api"), pod(), pod("api-1", service="api")))
    (host,) = view.hosts
    assert [[rule.path for rule in group.rules] for group in host.groups] == [["/a", "/b"], ["/c"]]
    assert [[one.end for one in group.service.pods] for group in host.groups if group.service] == [["1"], ["1"]]


def test_rates_are_differences_of_two_reports() -> None:
    first = report(route(requests={"200": 10}), pod(requests=10))
    second = report(route(requests={"200": 26, "503": 4}), pod(requests=30), at=START + 2)
    (host,) = _map(first, second).hosts
    (group,) = host.groups
    assert group.rules[0].rate == "10"
    assert group.rules[0].failed == "2 failed/s"
    assert group.service is not None
    assert group.service.pods[0].rate == "10"


def test_the_time_within_which_most_were_answered_is_that_of_now() -> None:
    first = report(route(durations=durations(0, 100, 0, 0)))
    second = report(route(durations=durations(100, 100, 0, 0)), at=START + 2)
    (host,) = _map(first, second).hosts
    assert host.groups[0].rules[0].latency == "9.5 ms"


def test_a_draining_pod_says_how_many_sessions_are_left_and_why() -> None:
    (host,) = _map(report(route(), pod(state="draining", sessions=3, limit=3, why="it is being deleted"))).hosts
    assert host.groups[0].service is not None
    (shown,) = host.groups[0].service.pods
    assert (shown.state, shown.sessions, shown.is_full, shown.why) == ("draining", "3", True, "it is being deleted")


def test_pods_of_a_service_of_two_hosts_are_shown_once() -> None:
    first, second = _map(report(route("a.example"), route("b.example"), pod())).hosts
    assert first.groups[0].service is not None
    assert second.groups[0].service is not None
    assert len(first.groups[0].service.pods) == 1
    assert (second.groups[0].service.pods, second.groups[0].service.elsewhere) == ((), "a.example")


def test_the_way_of_a_request_is_lit_to_its_pod_even_where_pods_are_not_shown_otherwise() -> None:
    reports = report(route("a.example"), route("b.example"), pod("web-1"), pod("web-2"))
    second, first = _map(reports, lit=Lit("b.example/", frozenset({"web-2"}))).hosts
    assert not first.groups[0].lit
    assert second.groups[0].lit
    assert second.groups[0].service is not None
    assert [one.lit for one in second.groups[0].service.pods] == [False, True]


def test_a_problem_stands_beside_its_object_once_and_others_on_top() -> None:
    view = _map(report(route(path="/a"), route(path="/b"), problem(), problem("remora", kind="ConfigMap")))
    assert [len(rule.problems) for rule in view.hosts[0].groups[0].rules] == [1, 0]
    assert [one.object for one in view.problems] == ["ConfigMap shop/remora"]


@pytest.mark.parametrize(
    ("words", "hosts", "pods"),
    [
        ("", 2, 3),
        ("shop.ex", 1, 2),
        ("SHOP", 1, 2),
        ("web-2", 1, 1),
        ("shop web-2", 1, 1),
        ("blog", 1, 1),
        ("shop blog", 0, 0),
    ],
)
def test_the_filter_finds_hosts_namespaces_and_pods(words: str, hosts: int, pods: int) -> None:
    rows = [route(), pod("web-1"), pod("web-2")]
    rows += [route("blog.example", namespace="blog", service="b"), pod("b-1", service="b", namespace="blog")]
    view = _map(report(*rows), words=words)
    shown = [one for host in view.hosts for group in host.groups if group.service for one in group.service.pods]
    assert (len(view.hosts), len(shown)) == (hosts, pods)


def test_a_viewer_sees_nothing_of_other_namespaces() -> None:
    rows = [route(), pod(), problem(), change(), change(objects=("Ingress secret/vault",), reasons=("host vault.example",))]
    rows += [
        route("vault.example", namespace="secret"),
        pod("vault-1", namespace="secret"),
        problem("vault", namespace="secret"),
    ]
    seen = visible(report(*rows, unrouted={"404": 7}), frozenset({"shop"}))
    text = msgspec.json.encode(seen).decode()
    assert "vault" not in text
    assert "secret" not in text
    assert (len(seen.routes), len(seen.pods), len(seen.problems), len(seen.changes)) == (1, 1, 1, 1)
    assert seen.proxy is None
    assert not seen.unrouted


def test_equal_reports_make_equal_maps() -> None:
    first = report(route(requests={"200": 1}), pod(requests=1))
    assert _map(first, later(first, 1)) == _map(first, later(first, 1), later(first, 2))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (4.25, "4.2"), (7, "7"), (123.4, "123"), (1234, "1.2k"), (45_600_000, "45.6M"), (2e9, "2.0G")],
)
def test_numbers_have_at_most_five_places(number: float, text: str) -> None:
    assert figure(number) == text


def test_little_is_not_nothing() -> None:
    assert (rate_figure(0.01), rate_figure(0), duration(0.0004), duration(0.25), duration(2.04)) == (
        "< 0.1", "0", "0.4 ms", "250 ms", "2.0 s",
    )  # fmt: skip


def test_a_little_line_is_drawn_only_where_there_is_something_to_see() -> None:
    assert spark([]) == spark([0.0, 0.0]) == ""
    assert spark([1.0, 2.0]).endswith("L60 1V18Z")
