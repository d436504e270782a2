"""Differences between the answers of two controllers."""

from remora.migrate.compare import (
    Answer,
    Comparison,
    Difference,
    Ignoring,
    Trail,
    Visit,
    cookie_pair,
    differences,
    find_pod,
    trail_differences,
)
from remora.migrate.requests import Replay

REQUEST = Replay("web.test", "/")
NONE = Ignoring()


def answer(status: int = 200, body: str = "", pod: str = "", **headers: str) -> Answer:
    written = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, written, body.encode(), pod)


def found(old: Answer, new: Answer, ignoring: Ignoring = NONE) -> list[str]:
    return [one.what for one in differences(REQUEST, old, new, ignoring) if not one.expected]


def test_answers_that_differ_in_what_may_differ_are_the_same() -> None:
    old = answer(Date="1", Server="nginx", X_Request_ID="a", Set_Cookie="SID=1; Path=/; Expires=Mon; HttpOnly")
    new = answer(Date="2", Connection="close", Set_Cookie="SID=2; HttpOnly; Path=/; Expires=Tue")
    assert found(old, new) == []


def test_status_headers_cookies_and_bodies_are_compared() -> None:
    assert found(answer(200), answer(404)) == ["status"]
    assert found(answer(X_A="1"), answer(X_A="2")) == ["header x-a"]
    assert found(answer(), answer(X_A="2")) == ["header x-a"]
    assert found(answer(X_A="1"), answer(X_A="2"), Ignoring(frozenset(("x-a",)))) == []
    assert found(answer(Set_Cookie="SID=1; Path=/"), answer(Set_Cookie="SID=1; Path=/a")) == ["header set-cookie"]
    assert found(answer(body="a"), answer(body="b")) == ["body"]
    assert found(answer(body="t=12"), answer(body="t=13"), Ignoring(patterns=(r"t=\d+",))) == []


def test_a_body_that_names_another_pod_is_the_same_body() -> None:
    old, new = answer(body='{"pod": "a", "path": "/"}', pod="a"), answer(body='{"pod": "b", "path": "/"}', pod="b")
    assert found(old, new) == []
    assert found(old, answer(body='{"pod": "b", "path": "/x"}', pod="b")) == ["body"]


def test_the_own_pages_of_nginx_are_expected_to_differ() -> None:
    page = answer(404, "<hr><center>nginx</center>", Content_Type="text/html")
    (one, two) = differences(REQUEST, page, answer(404, "not found", Content_Type="text/plain"), NONE)
    assert {one.expected, two.expected} == {"the controller's own page"}


def test_no_answer_is_a_difference() -> None:
    assert found(answer(), Answer(error="no answer: TimeoutError")) == ["answer"]
    assert found(Answer(error="x"), Answer(error="x")) == ["answer"]


def test_the_pod_is_found_where_it_is_named() -> None:
    assert find_pod([("X-Pod", "p")], b"") == "p"
    assert find_pod([], b'{"hostname": "p"}') == "p"
    assert find_pod([("Served-By", "p")], b"", "header:served-by") == "p"
    assert find_pod([], b'{"who": "p"}', "json:who") == "p"
    assert find_pod([], b"I am p-1.", r"regex:am (\S+)\.") == "p-1"
    assert find_pod([], b"I am p-1.", r"regex:p-\d") == "p-1"
    assert find_pod([], b"[1]") == find_pod([], b"text") == find_pod([], b"", "regex:x") == ""


def test_a_session_that_is_moved_on_its_way_is_told() -> None:
    visits = (Visit("old", "no cookie", "a"), Visit("new", "a cookie of the old one", "b"), Visit("old", "it", "", 503))
    first, second = trail_differences(Trail(REQUEST, visits))
    assert (first.what, first.old, first.new) == ("session: a cookie of the old one, taken to the new controller", "a", "b")
    assert second.new == "status 503"


def test_a_comparison_of_nothing_is_not_clean() -> None:
    assert not Comparison().is_clean
    assert Comparison(1, differences=(Difference("r", "body", "a", "b", "why"),)).is_clean
    assert not Comparison(1, differences=(Difference("r", "body", "a", "b"),)).is_clean


def test_the_cookie_is_taken_as_it_was_set() -> None:
    assert cookie_pair(answer(Set_Cookie="SID=a|b; Path=/"), "SID") == "SID=a|b"
    assert cookie_pair(answer(Set_Cookie="SID=a|b; Path=/"), "ID") == ""
