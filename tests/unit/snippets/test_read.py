"""What becomes of directives."""

import pytest

from remora.model.snippets import Answer, AnswerHeader, HeaderChange, Locate, RequestHeader, When
from remora.snippets.read import Context, Kind, read_snippet
from remora.snippets.written import LARGEST, snippet_entry


def kinds(text: str, context: Context = Context.LOCATION) -> list[tuple[str, Kind]]:
    return [(one.directive, one.kind) for one in read_snippet(text, context).findings]


@pytest.mark.parametrize(
    "text",
    [
        "deny all", "deny all\nallow 127.0.0.1;", "return 403 \"abc;", "}", "{", "if ($x", "a b", "\0", "x" * 20_000 + ";",
        "auth_request /x;", "limit_req zone=a;", "limit_conn a 1;", "satisfy any;", "access_by_lua_block { x }",
        "unheard_of on;",
        "deny nonsense;", "return 99;", "rewrite ^/(?<a>x) /y;", "if (-f $request_filename) { return 403; }",
        "set $x $unheard_of;", "proxy_pass http://x;", "root /;", "real_ip_header X;", "valid_referers none;", "internal_ x;",
        "if ($http_x ~ (a++)) { return 403; }", "remora_ends_here;}", "limit_except GET { deny all; }", "a{" * 10 + "}" * 10,
    ],
)  # fmt: skip
def test_what_may_keep_somebody_out_and_is_not_understood_closes(text: str) -> None:
    assert read_snippet(text, Context.SERVER).is_refused


def test_what_is_not_understood_in_a_location_closes_it_alone() -> None:
    reading = read_snippet("location /x { auth_request /y; add_header A 1; }\nmore_set_headers 'B: 1';", Context.SERVER)
    assert not reading.is_refused
    locate = next(step for step in reading.steps if isinstance(step, Locate))
    assert locate.locations[0].steps == (Answer(503),)


def test_cosmetics_are_named_and_let_the_rest_be() -> None:
    text = (
        "server_tokens off;\nsub_filter a b;\nadd_header A $request_time;\nif ($geoip = x) { add_header B 1; }\nadd_header C 1;"
    )
    assert kinds(text) == [
        ("server_tokens", Kind.NEEDLESS), ("sub_filter", Kind.SKIPPED), ("add_header", Kind.SKIPPED),
        ("if", Kind.SKIPPED), ("add_header", Kind.STEP), ("add_header", Kind.STEP),
    ]  # fmt: skip


def test_a_request_header_whose_value_is_not_known_is_not_left_to_the_client() -> None:
    reading = read_snippet("proxy_set_header X-User $ssl_client_fingerprint;", Context.LOCATION)
    assert reading.steps == (RequestHeader(HeaderChange.REMOVE, "X-User"),)
    assert [one.kind for one in reading.findings] == [Kind.SKIPPED]


def test_what_annotations_say_too_becomes_annotations() -> None:
    text = 'client_max_body_size 8m; proxy_read_timeout "1h 30m"; proxy_cookie_path / "/; Secure"; proxy_ssl_verify off;'
    assert dict(read_snippet(text, Context.LOCATION).settings) == {
        "proxy-body-size": "8m",
        "proxy-read-timeout": "5400",
        "proxy-cookie-path": '/ "/; Secure"',
        "proxy-ssl-verify": "off",
    }
    assert kinds("location /x { client_max_body_size 8m; }", Context.SERVER)[1] == ("client_max_body_size", Kind.SKIPPED)


def test_headers_of_a_block_count_wherever_they_stand_in_it() -> None:
    steps = read_snippet("return 200; add_header A 1;", Context.LOCATION).steps
    assert [type(step) for step in steps] == [AnswerHeader, Answer]


def test_lines_are_counted_through_comments_and_blocks() -> None:
    findings = read_snippet("# one\n\nif ($http_x) {\n  foo;\n}\nbar;", Context.LOCATION).findings
    assert [(one.line, one.directive) for one in findings] == [(3, "if"), (4, "foo"), (6, "bar")]


def test_a_condition_on_nothing_is_one() -> None:
    for text in ('if ($http_x = "") { return 403; }', 'if ($http_x = ""){return 403;}', "if ( $http_x = '' ) { return 403; }"):
        step = read_snippet(text, Context.LOCATION).steps[0]
        assert isinstance(step, When)
        assert step.condition.other == ()
        assert step.condition.comparison.value == "="


def test_constants_take_their_place() -> None:
    text = "proxy_set_header A $service_name.$namespace;"
    step = read_snippet(text, Context.LOCATION, (("namespace", "n"), ("service_name", "s"))).steps[0]
    assert isinstance(step, RequestHeader)
    assert [piece.name for piece in step.value] == ["s.n"]


def test_an_entry_is_one_line_of_ascii() -> None:
    text = 'proxy_set_header A "é ,()%|;\\\\"; if ($http_x ~* "[à-ü]|é+") { return 200 "\\n"; }'
    reading = read_snippet(text.replace("\\n", ""), Context.LOCATION)
    assert not reading.is_refused
    entry = snippet_entry(reading.steps)
    assert entry.isascii()
    assert entry.isprintable()
    assert " " not in entry
    assert len(entry) < LARGEST
