"""What a person types becomes a request."""

import pytest

from remora.cli.request import parse_request
from remora.core.errors import UsageError


def sent(url: str, *, cookies: tuple[str, ...] = (), headers: tuple[str, ...] = ()) -> tuple[str, str, str, str, str]:
    found = parse_request(url, cookies=cookies, headers=headers, method="get")
    return found.scheme, found.host, found.path, found.query, found.cookies


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("shop.example", ("http", "shop.example", "/", "")),
        ("https://Shop.Example:443/a%2Fb?c=d", ("https", "shop.example", "/a%2Fb", "c=d")),
        ("http://shop.example:8080/é b", ("http", "shop.example:8080", "/%C3%A9%20b", "")),
        ("http://bücher.example", ("http", "xn--bcher-kva.example", "/", "")),
        ("http://[::1]/x", ("http", "[::1]", "/x", "")),
    ],
)
def test_a_url_is_sent_as_browsers_do(url: str, expected: tuple[str, ...]) -> None:
    assert sent(url)[:4] == expected


def test_cookies_and_headers_travel_along() -> None:
    found = sent("http://a", cookies=("x=1", "y=2"), headers=("Cookie: z=0", "Host: b.example:81"))
    assert (found[1], found[4]) == ("b.example:81", "z=0; x=1; y=2")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "http://",
        "http://a:x/",
        "http://[::1/",
        "http://a:99999/",
        "http://ü" + "a" * 70,
        "not a url",
        "http://a\\b/",
    ],
)
def test_what_is_no_url_is_refused_in_words(url: str) -> None:
    with pytest.raises(UsageError):
        sent(url)


@pytest.mark.parametrize("cookie", ["x", "=1", "a b=1", "x=1;y=2"])
def test_what_is_no_cookie_is_refused_in_words(cookie: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        sent("http://a", cookies=(cookie,))


def test_what_is_no_header_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="Name: value"):
        sent("http://a", headers=("x y: z",))


@pytest.mark.parametrize("method", ["B A D", "", "GET\n"])
def test_what_is_no_method_is_refused_in_words(method: str) -> None:
    with pytest.raises(UsageError, match="--method"):
        parse_request("http://a", cookies=(), headers=(), method=method)
