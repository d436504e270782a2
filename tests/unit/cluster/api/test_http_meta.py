"""What the API server says about itself."""

import pytest

from remora.cluster.api.http_message import Request, Response, parse_query
from remora.cluster.api.http_meta import answer_meta
from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.tokens import Identity


def get(target: str) -> Response:
    path, _, query = target.partition("?")
    request = Request(method="GET", path=path, query=parse_query(query), headers={}, body=b"", identity=Identity("a"))
    return answer_meta(request, RESOURCES, "127.0.0.1:6443")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_a_server_that_answers_is_well(path: str) -> None:
    assert get(path).body == b"ok"


def test_health_names_its_checks_when_asked() -> None:
    assert get("/readyz?verbose").body == b"[+]ping ok\n[+]log ok\n[+]store ok\nreadyz check passed\n"


def test_another_path_is_not_found_and_says_so_in_plain_text() -> None:
    for path in ("/nosuch", "/healthzz", "/apis/nosuch/v1"):
        answer = get(path)
        assert (answer.status, answer.body) == (404, b"404 page not found\n")
