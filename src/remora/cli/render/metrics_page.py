"""The reference page of metrics, made from a scrape in which each of them has a sample."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from remora.observe.nginx_metrics import PREFIX

_HEADER = """\
# Metrics

What `/metrics` on the health port (10254) tells. (Made from the code that tells it; `make docs` makes it anew.) How requests
are counted, what it costs, and what differs from ingress-nginx stands in [Observability](observability.md); a Grafana dashboard
is `deploy/grafana/remora.json`.

What is worth an alert: `remora_config_last_apply_successful` is 0; the sum of `remora_leader` over the replicas is 0;
`remora_api_connected` is 0 for a kind; `remora_loop_failures_total` grows; `remora_sessions_broken_total` grows by another
`reason` than pods that went; `nginx_ingress_controller_ssl_expire_time_seconds` comes near.

## Remora's own

"""
_NGINX = f"""
## ingress-nginx's, by its names

All begin with `{PREFIX}`, left out below. The labels `controller_class`, `controller_namespace` and
`controller_pod`, which all but `ssl_expire_time_seconds` have, are left out too. The histograms are there with
`--enable-metrics` only, and the label `host` unless `--metrics-per-host=false`. With `--report-status-classes` the label
`status` is `2xx` and the like. `requests`, `success` and `errors` have no `_total` at their end, so `/metrics` calls them
`untyped`. What is of `nginx_process` counts what the controller asks HAProxy too, a few requests a scrape.

"""
_CONSTANT = ("controller_class", "controller_namespace", "controller_pod")
_TABLE = "| metric | kind | labels | |\n| --- | --- | --- | --- |\n"
_SUFFIXES = ("_bucket", "_count", "_sum", "_created")


def render_metrics_page(families: Iterable[Metric]) -> str:
    """The page, in Markdown."""
    own: list[str] = []
    nginx: list[str] = []
    for family in sorted(families, key=lambda one: one.name):
        (nginx if family.name.startswith(PREFIX) else own).append(_row(family))
    return _HEADER + _TABLE + "".join(own) + _NGINX + _TABLE + "".join(nginx)


def _row(family: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in _labels(family))
    kind = "counter" if family.type == "unknown" else family.type
    return f"| `{_name(family)}` | {kind} | {labels} | {family.documentation} |\n"


def _name(family: Metric) -> str:
    """As a query names it; of a histogram, what its three series begin with."""
    names = {sample.name for sample in family.samples if not sample.name.endswith(_SUFFIXES)}
    return (names.pop() if len(names) == 1 else family.name).removeprefix(PREFIX)


def _labels(family: Metric) -> Iterator[str]:
    """In the order of the samples, without those that all have."""
    seen = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    yield from (label for label in seen if label != "le" and label not in _CONSTANT)
