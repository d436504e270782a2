"""Texts with nginx's variables, and URLs and times of external authentication."""

import pytest

from remora.annotations.auth_external import auth_url, kept_durations, passed_headers, sign_in_url
from remora.annotations.templates import template
from remora.annotations.values import ValueRefused

plain = template("a-z/-", "a text")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a", ("a",)),
        ("$host", ("", "host", "")),
        ("a${host}b$request_uri", ("a", "host", "b", "request_uri", "")),
        ("$http_host$http_x_user_id", ("", "http_host", "", "http:x-user-id", "")),
        ("$cookie__sid-$arg_T", ("", "cookie:_sid", "-", "arg:T", "")),
        ("$pass_access_scheme$best_http_host", ("", "told_scheme", "", "http_host", "")),
    ],
)
def test_variables_come_between_texts(text: str, pieces: tuple[str, ...]) -> None:
    assert plain(text) == pieces


@pytest.mark.parametrize("text", ["$", "$$host", "${host", "a$", "$upstream_addr", "A", "a\nb", "$http_", "${}"])
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ValueRefused):
        plain(text)


def test_an_url_is_taken_apart() -> None:
    url = auth_url("https://$host:8443/auth?u=$escaped_request_uri")
    assert (url.is_tls, url.host, url.port) == (True, ("", "host", ""), 8443)
    assert url.target == ("/auth?u=", "escaped_request_uri", "")
    assert (auth_url("http://a.b").port, auth_url("https://a.b").port) == (80, 443)
    assert auth_url("http://a.b?x").target == ("/?x",)
    assert auth_url("  http://a.b/c\n\n").target == ("/c",)


@pytest.mark.parametrize(
    "text",
    [
        "http://a b",
        "http://a/b c",
        "http://a/\nb",
        "http://user@a/",
        "http://a:0/",
        "http://a:70000/",
        "http://$remote_addr/",
        "http://a$request_uri",
        "a",
    ],
)
def test_an_url_that_leads_nowhere_known_is_refused(text: str) -> None:
    with pytest.raises(ValueRefused):
        auth_url(text)


@pytest.mark.parametrize("text", ["$http_x/login", "//a", "data:x", "$arg_next", ""])
def test_nobody_is_sent_where_a_client_says(text: str) -> None:
    with pytest.raises(ValueRefused):
        sign_in_url(text)


def test_times_are_by_status() -> None:
    assert kept_durations("200 202 401 5m").seconds == ((200, 300), (202, 300), (401, 300))
    assert kept_durations("any 1h, 403 10").seconds == ((0, 3600), (403, 10))
    assert kept_durations("2m").seconds == ((200, 120), (301, 120), (302, 120))


def test_names_are_the_same_in_every_spelling() -> None:
    assert passed_headers("X-User, x-user,\n X-Id") == ("x-user", "x-id")
