"""Which pod or service and port a proxied path means, and where its redirects lead."""

import pytest
from yarl import URL

from remora.cluster.api.errors import ApiError
from remora.cluster.api.handlers_proxy import located, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web", ("http", "web", "")),
        ("web:", ("http", "web", "")),
        ("web:8080", ("http", "web", "8080")),
        ("https:web:8443", ("https", "web", "8443")),
        ("http:web:", ("http", "web", "")),
        ("web:metrics", ("http", "web", "metrics")),
    ],
)
def test_a_target_is_scheme_name_and_port(text: str, target: tuple[str, str, str]) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", ":80", "ftp:web:21", "http:web:80:9", "web:-1", "web:٣"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="invalid proxy request"):
        parse_target(text)


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        ("/b?x=1", "/api/v1/namespaces/n/pods/web/proxy/b?x=1"),
        ("c", "/api/v1/namespaces/n/pods/web/proxy/a/c"),
        ("http://127.1.0.1:80/b", "/api/v1/namespaces/n/pods/web/proxy/b"),
        ("http://elsewhere.example/b", "http://elsewhere.example/b"),
    ],
)
def test_a_redirect_to_the_same_pod_goes_through_the_proxy_again(location: str, seen: str) -> None:
    url = URL("http://127.1.0.1/a/b%20c")
    assert located(location, url, "/api/v1/namespaces/n/pods/web/proxy/a/b c", "a/b%20c") == seen
