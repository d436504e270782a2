"""Which pod and port a proxied path means."""

import pytest

from remora.cluster.api.errors import ApiError
from remora.cluster.api.handlers_proxy import parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web", ("http", "web", 0)),
        ("web:", ("http", "web", 0)),
        ("web:8080", ("http", "web", 8080)),
        ("https:web:8443", ("https", "web", 8443)),
        ("http:web:", ("http", "web", 0)),
    ],
)
def test_a_target_is_scheme_pod_and_port(text: str, target: tuple[str, str, int]) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", ":80", "web:x", "web:65536", "ftp:web:21", "http:web:80:9", "web:-1", "web:٣"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="invalid pod request"):
        parse_target(text)
