import pytest

from remora.core.options import ProxyOptions, log_pieces
from remora.core.settings import ProxySettings
from remora.haproxy.features.request_log import FIELDS, frontend_rules, is_wanted, mark, request_headers, response_headers
from remora.haproxy.features.tracing import request_rules, tracing_entry
from remora.haproxy.grammar import render_directive
from remora.haproxy.hosts import configure_host, targets
from remora.haproxy.maps import Map
from remora.haproxy.program import render_program
from remora.model import PrefixPath, Tracing
from tests.support.models import host, route

LOGGING = ProxyOptions(disable_access_log=False, log_format_upstream=log_pieces("$http_x_a $sent_http_x_b $http_x_a"))


def settings(options: ProxyOptions | None = None, *, measures: bool = False) -> ProxySettings:
    return ProxySettings(state_directory="/s", options=options or ProxyOptions(), measures_requests=measures)


def test_nobody_pays_for_lines_that_nobody_reads() -> None:
    assert not is_wanted(settings())
    assert not is_wanted(settings(ProxyOptions(disable_access_log=False, disable_http_access_log=True)))
    assert "log " not in render_program(settings())
    assert "\nring " not in render_program(settings())


@pytest.mark.parametrize(
    "wanted", [settings(measures=True), settings(LOGGING), settings(ProxyOptions(otlp_collector_host="collector"))]
)
def test_each_reader_has_lines_written(wanted: ProxySettings) -> None:
    assert is_wanted(wanted)
    program = render_program(wanted)
    assert program.count("    log ring@requests ") == 4  # of each frontend, and of those that count bodies
    assert "server controller unix@/s/requests.sock" in program


def test_only_headers_of_the_format_are_captured() -> None:
    assert request_headers(LOGGING) == ("x-a",)
    assert response_headers(LOGGING) == ("x-b",)
    assert mark(LOGGING) != mark(ProxyOptions())
    lines = [render_directive(line) for line in frontend_rules(settings(LOGGING))]
    assert "capture response header x-b len 512" in lines
    assert any("fhdr(x-a)" in line and "id 4" in line for line in lines)


def test_no_text_of_the_format_reaches_the_configuration() -> None:
    evil = ProxyOptions(disable_access_log=False, log_format_upstream=log_pieces("%[var(x)] evil $http_a $status"))
    assert "evil" not in render_program(settings(evil))


def test_no_field_can_hold_a_blank_of_its_own() -> None:
    assert all(" " not in field for field in FIELDS.values())


def test_a_traced_route_runs_the_rules_of_policies_and_another_does_not() -> None:
    traced, plain = route(tracing=Tracing(trusts=False)), route(PrefixPath("/plain"))
    part = configure_host(host(traced, plain))
    assert part.texts[Map.TRACING] == {traced.id: "begin"}
    assert {target.kind.rich for target in targets(host(traced))} == {True}
    assert {target.kind.rich for target in targets(host(plain))} == {False}
    assert tracing_entry(None) == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ProxyOptions(), "str(01) if { var(txn.tracing) -m found } !{ var(txn.parent) -m found }"),
        (ProxyOptions(otel_sampler_parent_based=False), "str(01) if { var(txn.tracing) -m found }"),
        (ProxyOptions(otel_sampler="TraceIdRatioBased", otel_sampler_ratio=0.25), "{ rand(1000000) lt 250000 }"),
    ],
)
def test_a_sampler_decides_where_no_parent_does(options: ProxyOptions, said: str) -> None:
    lines = [render_directive(line) for line in request_rules(options, "/m")]
    assert any(line.endswith(said) for line in lines)


def test_a_sampler_that_is_off_takes_none_of_its_own() -> None:
    lines = [render_directive(line) for line in request_rules(ProxyOptions(otel_sampler="AlwaysOff"), "/m")]
    assert [line for line in lines if "str(01)" in line] == [line for line in lines if "var(txn.parent) -m reg" in line]
