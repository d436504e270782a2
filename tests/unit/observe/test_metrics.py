from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.model import ExactPath, Model, PathMatch, PrefixPath, RegexPath, Route, RouteId, Unavailable, VirtualHost
from remora.observe.metrics import Metrics, RouteLabels, labels_of_routes, reason_label, sum_requests
from remora.plan.outcome import Outcome, OutcomeKind, RequestCount


def _model(*matches: PathMatch) -> Model:
    routes = (Route(RouteId(f"r{n}"), match, Unavailable(), NamespacedName("shop", "web")) for n, match in enumerate(matches))
    return Model((VirtualHost(Hostname("a.test"), tuple(routes)),))


def test_routes_are_called_as_people_write_them() -> None:
    labels = labels_of_routes(_model(ExactPath("/a"), PrefixPath(""), PrefixPath("/b"), RegexPath("/c.*")))
    assert [one.path for one in labels.values()] == ["/a", "/", "/b", "/c.*"]
    assert labels[RouteId("r0")] == RouteLabels("shop", "web", "a.test", "/a")


def test_requests_without_a_route_have_empty_labels_and_a_route_that_is_no_more_has_no_series() -> None:
    counts = [RequestCount(RouteId("-"), 200, 5), RequestCount(RouteId("gone"), 200, 3), RequestCount(RouteId("r0"), 404, 1)]
    sums = sum_requests(counts, labels_of_routes(_model(ExactPath("/a"))))
    assert sums == {(RouteLabels(), 200): 5, (RouteLabels("shop", "web", "a.test", "/a"), 404): 1}


def test_everything_told_is_rendered() -> None:
    metrics = Metrics()
    problem = Problem(ObjectRef("Ingress", NamespacedName("shop", "web")), "spec", "Wrong", "m", "c")
    metrics.tell_translation(_model(PrefixPath("")), [problem, problem])
    metrics.tell_outcome(Outcome(3, OutcomeKind.RELOAD, ("the pool x runs low: 3 of 4 are in use",), commands=5, seconds=0.2))
    metrics.tell_requests((RequestCount(RouteId("r0"), 200, 7),))
    metrics.tell_requests(())
    metrics.tell_sync(has_synced=True, current={"Ingress": False})
    metrics.tell_failure()
    metrics.tell_lag(0.5, 0.1)
    metrics.tell_lag(0.25, 0.125)
    lines = metrics.render().decode().splitlines()
    for line in (
        'remora_requests_total{code="200",host="a.test",ingress="web",namespace="shop",path="/"} 7.0',
        'remora_problems{code="Wrong",namespace="shop"} 2.0',
        'remora_reloads_total{reason="pool-low"} 1.0',
        "remora_config_generation 3.0",
        "remora_runtime_commands_total 5.0",
        "remora_apply_seconds_count 1.0",
        "remora_synced 1.0",
        'remora_api_connected{kind="Ingress"} 0.0',
        "remora_loop_failures_total 1.0",
        "remora_event_loop_lag_seconds 0.25",
        "remora_event_loop_lag_longest_seconds 0.5",
        "remora_event_loop_computing_longest_seconds 0.125",
    ):
        assert line in lines


def test_reasons_have_bounds() -> None:
    assert reason_label("shop-web-80:spread-rich:ab needs directives of its own") == "dedicated-backend"
    assert reason_label("the ConfigMap's use-proxy-protocol, ssl-certificate changed") == "settings"
    assert reason_label("peers changed") == "peers"
    assert reason_label("something new") == "other"
