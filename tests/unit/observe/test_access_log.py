import json

import pytest

from remora.core.options import LOG_VARIABLES, ProxyOptions, log_pieces
from remora.haproxy.features.request_log import FIELDS, mark
from remora.observe.access_log import VALUES, AccessLog
from remora.observe.request_labels import RequestLabels
from remora.observe.request_line import RequestLine, decoded, parse_line

LABELS = RequestLabels("shop", "web", "a.test", "/x", "cart", "80", "shop-cart-80", "shop-new-80")
USUAL = {
    "route": "r1", "method": "GET", "status": "200", "active": "12", "reading": "0", "waiting": "0", "connecting": "1",
    "header": "4", "data": "5", "received": "100", "sent": "200", "server": "10.0.0.1:80", "client": "fd00::1",
    "client_port": "99", "protocol": "HTTP/1.1", "frontend": "https~", "tls_version": "TLSv1.3", "tls_cipher": "AES",
    "trace": "-", "span": "-", "parent": "-", "sampled": "-", "tries": "0", "quiet": "-",
}  # fmt: skip


def line(captures: str, *, options: ProxyOptions | None = None, **fields: str) -> RequestLine:
    values = USUAL | fields
    found = parse_line(" ".join((mark(options or ProxyOptions()), *(values[name] for name in FIELDS), captures)))
    assert found
    return found


def options(text: str, **more: object) -> ProxyOptions:
    return ProxyOptions(disable_access_log=False, log_format_upstream=log_pieces(text), **more)  # type: ignore[arg-type]


def written(
    text: str, captures: str = "{/x?a=1|A.test:8443|id1|me}", *, fields: dict[str, str] | None = None, **more: object
) -> str:
    wanted = options(text, **more)
    return AccessLog(wanted).write(line(captures, options=wanted, **(fields or {})), LABELS).removesuffix("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$remote_addr $remote_port", "fd00::1 99"),
        ("$request|$request_uri|$uri|$args", "GET /x?a=1 HTTP/1.1|/x?a=1|/x|a=1"),
        ("${status}ms $request_time", "200ms 0.012"),
        ("$host $scheme $server_port $server_name", "a.test https 443 a.test"),
        ("$namespace/$ingress_name $service_name:$service_port $location_path", "shop/web cart:80 /x"),
        ("[$proxy_upstream_name] [$proxy_alternative_upstream_name]", "[shop-cart-80] [shop-new-80]"),
        ("$upstream_addr $upstream_status", "10.0.0.1:80 200"),
        ("$upstream_connect_time $upstream_header_time $upstream_response_time", "0.001 0.005 0.010"),
        ("$ssl_protocol $ssl_cipher", "TLSv1.3 AES"),
        ("$remote_user $req_id $nothing_of_this_name", "me id1 -"),
        ("100% $ 5$", "100% $ 5$"),
    ],
)
def test_a_variable_is_what_nginx_says(text: str, expected: str) -> None:
    assert written(text) == expected


def test_what_never_reached_a_pod_has_no_upstream() -> None:
    fields = {"connecting": "-1", "header": "-1", "data": "-1", "server": "-:-"}
    assert written("$upstream_addr $upstream_status $upstream_response_time", fields=fields) == "- - -"


def test_times_of_several_tries_are_not_told() -> None:
    assert written("$upstream_response_time", fields={"tries": "+2"}) == "-"


def test_no_value_leaves_its_place() -> None:
    captures = "{/x#22#0A#5C|a|i|m|ev#22il#0D#0Aline #C3#A9#FF}"
    assert (
        written('"$http_user_agent" "$request_uri"', captures)
        == '"ev\\x22il\\x0D\\x0Aline \\xC3\\xA9\\xFF" "/x\\x22\\x0A\\x5C"'
    )
    found = written('{"agent": "$http_user_agent"}', captures, log_format_escape_json=True)
    assert json.loads(found) == {"agent": 'ev"il\r\nline é�'}
    assert "\n" not in written("$http_user_agent", captures, log_format_escape_none=True)


def test_headers_of_requests_and_answers_are_told_apart() -> None:
    text = "$http_x_one|$sent_http_x_one|$http_x_two"
    assert written(text, "{/|h|i|u|1|2} {3}") == "1|3|2"
    assert written(text, "") == "-|-|-"


def test_encoded_bytes_become_what_was_sent() -> None:
    assert decoded("#7Ba#7C#C3#A9") == "{a|é"
    assert decoded("plain") == "plain"


def test_what_is_no_line_is_none() -> None:
    assert parse_line("") is None
    assert parse_line("a b c") is None


def test_the_variables_that_are_known_can_be_said() -> None:
    assert VALUES.keys() == LOG_VARIABLES
