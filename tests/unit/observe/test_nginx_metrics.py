import json
import re
from pathlib import Path
from typing import Any

from cryptography import x509

from remora.apply.info import add_up
from remora.core.names import Hostname, NamespacedName
from remora.model import (
    Backend,
    BackendName,
    Balancing,
    Canary,
    Certificate,
    ForwardTo,
    Model,
    PrefixPath,
    Route,
    RouteId,
    VirtualHost,
)
from remora.observe.metrics import Metrics
from remora.observe.nginx_facts import process_facts
from remora.observe.nginx_metrics import NginxMetricsSettings
from remora.observe.request_durations import RequestDurations
from remora.observe.request_labels import RequestLabels, labels_of_requests
from remora.observe.span_exporter import SpanExporter
from remora.plan.outcome import Outcome, OutcomeKind, RequestCount
from tests.support.certificates import self_signed
from tests.unit.observe.test_access_log import line

CART, NEW = BackendName("shop-cart-80"), BackendName("shop-new-80")
WEB = NamespacedName("shop", "web")


class Reader:
    def __init__(self) -> None:
        self.durations = RequestDurations()
        self.lines = 0


def _model() -> Model:
    canary = Canary(RouteId("c1"), NamespacedName("shop", "canary"), ForwardTo(NEW))
    route = Route(RouteId("r1"), PrefixPath("/x"), ForwardTo(CART), WEB, canary=canary)
    backends = [Backend(name, Balancing.ROUND_ROBIN, origin=NamespacedName("shop", name.split("-")[1])) for name in (CART, NEW)]
    return Model((VirtualHost(Hostname("a.test"), (route,)),), tuple(backends))


def _told(**settings: Any) -> str:
    flags = {"controller_class": "k8s.io/ingress-nginx", "controller_pod": "p", "election": "lease", **settings}
    metrics = Metrics(NginxMetricsSettings(**flags))
    model = _model()
    metrics.tell_translation(model, [])
    metrics.tell_outcome(Outcome(1, OutcomeKind.START))
    metrics.tell_requests(
        (RequestCount(RouteId("r1"), 200, 3), RequestCount(RouteId("c1"), 204, 2), RequestCount(RouteId("-"), 404, 9))
    )
    metrics.tell_leader(leads=True)
    metrics.tell_process({"CurrConns": 4, "CumConns": 10, "CumReq": 20, "workers": 1, "oldest": 5})
    reader = Reader()
    labels = labels_of_requests(model)
    reader.durations.tell(line("", method="GET"), labels[RouteId("r1")])
    reader.durations.tell(line("", method="BREW", active="3000"), labels[RouteId("r1")])
    metrics.tell_reading(reader, SpanExporter())
    return metrics.render().decode()


CONSTANT = 'controller_class="k8s.io/ingress-nginx",controller_namespace="",controller_pod="p"'


def test_requests_have_the_names_and_labels_of_ingress_nginx() -> None:
    text = _told()
    rest = f'{CONSTANT},host="a.test",ingress="web",method="",namespace="shop",path="/x",service="cart"'
    assert f'nginx_ingress_controller_requests{{canary="",{rest},status="200"}} 3.0' in text
    assert f'nginx_ingress_controller_requests{{canary="shop-new-80",{rest},status="204"}} 2.0' in text
    assert 'status="404"' not in text
    durations = rest.replace('method=""', 'method="GET"')
    prefix = "nginx_ingress_controller_request_duration_seconds"
    assert f'{prefix}_count{{canary="",{durations},status="200"}} 1.0' in text
    other = durations.replace("GET", "OTHER")
    assert f'{prefix}_sum{{canary="",{other},status="200"}} 3.0' in text
    assert f'nginx_ingress_controller_nginx_process_connections{{{CONSTANT},state="active"}} 4.0' in text
    assert f'nginx_ingress_controller_leader_election_status{{{CONSTANT},name="lease"}} 1.0' in text
    assert 'nginx_ingress_controller_build_info{build="",' in text
    assert f"nginx_ingress_controller_success{{{CONSTANT}}} 1.0" in text
    assert f"nginx_ingress_controller_config_last_reload_successful{{{CONSTANT}}} 1.0" in text


def test_buckets_add_up() -> None:
    found = re.findall(r'request_duration_seconds_bucket\{.*le="([^"]+)".*method="OTHER".*\} (\S+)', _told())
    assert found[-4:] == [("2.5", "0.0"), ("5.0", "1.0"), ("10.0", "1.0"), ("+Inf", "1.0")]


def test_flags_change_what_is_told() -> None:
    by_class = _told(status_classes=True, per_host=False, excluded=("nginx_ingress_controller_request_size", "bytes_sent"))
    assert 'status="2xx"' in by_class
    assert 'status="200"' not in by_class
    assert 'status="4xx"' in by_class
    assert not re.search(r"nginx_ingress_controller_requests\{[^}]*host=", by_class)
    assert "nginx_ingress_controller_request_size_sum" not in by_class
    assert "nginx_ingress_controller_bytes_sent_sum" not in by_class
    assert 'host="_"' in _told(per_undefined_host=True)


def test_series_of_routes_that_are_no_more_end() -> None:
    durations = RequestDurations()
    gone, kept = RequestLabels("a", "gone"), RequestLabels("a", "kept")
    for labels in (gone, kept):
        durations.tell(line(""), labels)
    durations.forget_others(frozenset((kept,)))
    assert {key[0] for key in durations.read()} == {kept}


def test_every_metric_of_the_dashboard_is_exported() -> None:
    page = Path(__file__).parents[3] / "deploy" / "grafana" / "remora.json"
    dashboard = json.loads(page.read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    names = set(re.findall(r"\b(?:nginx_ingress_controller|remora)_[a-z_]+", asked))
    exported = set(re.findall(r"^([a-z_]+)(?:\{| )", _told(), re.MULTILINE))
    exported |= set(re.findall(r"^# TYPE (\S+)", _told(), re.MULTILINE))
    assert len(names) > 8
    assert names <= exported


def test_certificates_tell_when_they_end() -> None:
    pem = self_signed("a.test")
    model = Model(certificates=(Certificate("shop/tls", (Hostname("a.test"),), pem),))
    metrics = Metrics(NginxMetricsSettings(controller_class="c"))
    metrics.tell_translation(model, [])
    (found,) = re.findall(r"nginx_ingress_controller_ssl_expire_time_seconds\{(.*)\} (\S+)", metrics.render().decode())
    assert 'class="c",host="a.test",identifier="' in found[0]
    assert 'namespace="shop",secret_name="tls"' in found[0]
    assert float(found[1]) == x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def test_workers_of_haproxy_are_added_up() -> None:
    replies = ("Name: HAProxy\nUptime_sec: 5\nCurrConns: 2\n", "Uptime_sec: 60\nCurrConns: 3\n")
    assert add_up(replies) == {"Uptime_sec": 65, "CurrConns": 5, "workers": 2, "oldest": 60}
    facts = process_facts(add_up(replies), now=100.0)
    assert (facts.connections, facts.processes, facts.started) == (5, 2, 40.0)


def test_services_and_ports_with_dashes_are_told_apart() -> None:
    name = BackendName("shop-my-cart-my-port@hash")
    route = Route(RouteId("r1"), PrefixPath(""), ForwardTo(name), WEB)
    backends = (Backend(name, Balancing.CONSISTENT_HASH, origin=NamespacedName("shop", "my-cart")),)
    labels = labels_of_requests(Model((VirtualHost(Hostname("a.test"), (route,)),), backends))[RouteId("r1")]
    assert (labels.upstream, labels.service, labels.port) == ("shop-my-cart-my-port", "my-cart", "my-port")
