"""Requests by which two controllers are compared."""

import pytest

from remora.migrate.requests import Replay, hosts_by_upstream, paths_of, read_log, read_requests, requests_of
from tests.support.kubernetes import ingress, rule

STICKY = {"affinity": "cookie", "session-cookie-name": "SID"}
WEB = ingress("shop/web", rule("web.test", "/cart"), annotations=STICKY)


def test_hosts_paths_and_methods_are_multiplied_with_and_without_a_slash() -> None:
    found = requests_of([WEB], ("GET", "HEAD"))
    assert {one.path for one in found if one.host == "web.test"} == {
        "/cart", "/cart/", "/cart/remora-compare", "/remora-compare/unlisted",
    }  # fmt: skip
    assert {one.method for one in found} == {"GET", "HEAD"}
    assert {one.cookie for one in found if one.path.startswith("/cart")} == {"SID"}
    assert any(one.host == "remora-compare.invalid" for one in found)


@pytest.mark.parametrize(
    ("path", "path_type", "wanted"),
    [
        ("/", "Prefix", ("/", "/remora-compare")),
        ("", "ImplementationSpecific", ("/", "/remora-compare")),
        ("/v1(/|$)(.*)", "ImplementationSpecific", ("/v1", "/v1/", "/v1/remora-compare")),
        ("/a.b", "Exact", ("/a.b", "/a.b/", "/a.b/remora-compare")),
    ],
)
def test_patterns_are_tried_by_their_literal_beginning(path: str, path_type: str, wanted: tuple[str, ...]) -> None:
    assert paths_of(path, path_type) == wanted


def test_a_wildcard_is_tried_by_a_host_that_it_takes() -> None:
    (found, *_) = [one.host for one in requests_of([ingress("a/b", rule("*.wild.test", "/"))]) if "wild" in one.host]
    assert found == "remora-compare.wild.test"


def test_a_rule_without_a_host_is_tried_by_one_that_nobody_has() -> None:
    assert {one.host for one in requests_of([ingress("a/b", rule("", "/"))])} == {"remora-compare.invalid"}


def test_a_line_of_the_log_finds_its_host_by_the_backend() -> None:
    lines = [
        '10.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "GET /cart?x=1 HTTP/1.1" 200 5 "-" "curl" 80 0.001 '
        "[shop-web-80] [] 10.1.0.1:8080 5 0.001 200 abc",
        '10.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "POST /cart HTTP/1.1" 200 5 "-" "curl" 80 0.001 [shop-web-80] [] - - - - a',
        '10.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "GET /x HTTP/1.1" 404 5 "-" "curl" 80 0.001 [upstream-default-backend] [] -',
        '{"vhost": "json.test", "request_method": "HEAD", "uri": "/j", "status": 200}',
        "nonsense",
        "",
        "{broken",
        "[]",
        '{"host": "json.test", "uri": "no slash"}',
        '{"list": []}',
    ]
    found, left_out = read_log(lines, hosts_by_upstream([WEB]))
    assert found == (Replay("web.test", "/cart?x=1", cookie="SID"), Replay("json.test", "/j", "HEAD"))
    assert left_out == 7


def test_requests_are_written_as_words_or_objects() -> None:
    lines = [
        "# comment",
        "GET web.test/cart",
        "GET web.test",
        '{"host": "web.test", "path": "/", "method": "PUT", "headers": {"A": "b"}, "body": "c", "cookie": "SID"}',
        "web.test/cart",
        '{"host": "web.test"}',
    ]
    found = list(read_requests(lines))
    assert found[:3] == [
        Replay("web.test", "/cart"),
        Replay("web.test", "/"),
        Replay("web.test", "/", "PUT", (("A", "b"),), "c", "SID"),
    ]
    assert [str(one).partition(":")[0] for one in found[3:]] == ["line 5", "line 6"]
