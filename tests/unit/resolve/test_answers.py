import pytest

from remora.resolve.answers import Absent, Addresses, Known, Reply, Silent, learned, pause
from remora.resolve.hosts_file import parse_hosts, preferred

GOOD = Known(("10.0.0.1",), heard_at=100.0)


def test_addresses_replace_what_was_known_in_an_order_of_their_own() -> None:
    assert learned(Known(failures=3, why="x"), Addresses(("b", "a"), 5.0), 7.0) == Known(("a", "b"), 7.0)


@pytest.mark.parametrize(("reply", "kept"), [(Absent("no"), 30.0), (Silent("no"), 600.0)])
def test_the_last_addresses_are_kept_for_a_while_when_there_are_none(reply: Reply, kept: float) -> None:
    assert learned(GOOD, reply, 100.0 + kept - 0.1) == Known(("10.0.0.1",), 100.0, 1, "no")
    assert learned(GOOD, reply, 100.0 + kept) == Known((), 100.0, 1, "no")


def test_a_name_that_never_had_addresses_has_none() -> None:
    assert learned(Known(), Silent("no"), 5.0).addresses == ()


@pytest.mark.parametrize(("lifetime", "seconds"), [(0.0, 1.0), (5.0, 5.0), (3600.0, 30.0)])
def test_the_next_question_comes_when_the_answer_ends_within_bounds(lifetime: float, seconds: float) -> None:
    assert pause(GOOD, Addresses(("10.0.0.1",), lifetime)) == seconds


def test_a_silent_server_is_asked_ever_more_seldom() -> None:
    pauses = [pause(Known(failures=failures), Silent("")) for failures in (1, 2, 3, 6, 100)]
    assert pauses == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert pause(Known(failures=9), Absent("")) == 5.0


def test_a_hosts_file_is_read_without_comments_and_nonsense() -> None:
    text = "10.0.0.1 Web web.example # first\n10.0.0.2 web\n#10.0.0.3 web\nno-address web\n\n::1 web\n"
    assert parse_hosts(text) == {"web": ("10.0.0.1", "10.0.0.2", "::1"), "web.example": ("10.0.0.1",)}


def test_addresses_of_version_6_are_for_names_without_others() -> None:
    assert preferred(("::1", "10.0.0.1")) == ("10.0.0.1",)
    assert preferred(("::1",)) == ("::1",)
