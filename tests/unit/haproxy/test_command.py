"""Which commands are sent before the replies to earlier ones were read."""

from hypothesis import given
from hypothesis import strategies as st

from remora.haproxy.command import PREPARED_VERSION, SENT_TOGETHER, Command, together

TEXTS = [
    "add map m",
    "set map m a b",
    "del map m a",
    "set server b/s state maint",
    "set server b/s state ready",
    f"commit map {PREPARED_VERSION}m",
]
commands = st.lists(st.builds(Command, st.sampled_from(TEXTS), st.sampled_from(["", "a b", "a b\n" * 800])), max_size=12)


@given(commands)
def test_all_are_sent_once_and_in_their_order(wanted: list[Command]) -> None:
    assert [command for portion in together(wanted) for command in portion] == wanted


@given(commands)
def test_nothing_is_taken_away_and_no_version_named_before_the_replies_to_what_comes_before(wanted: list[Command]) -> None:
    for portion in together(wanted):
        assert len({command.takes_away for command in portion}) == 1
        assert not any(PREPARED_VERSION in command.text for command in portion[1:])


@given(commands)
def test_what_is_large_is_sent_alone(wanted: list[Command]) -> None:
    for portion in together(wanted):
        assert len(portion) == 1 or sum(len(one.text) + len(one.payload) for one in portion) <= SENT_TOGETHER


def test_a_pod_more_is_one_portion() -> None:
    pod = [
        Command("add map servers.map", "a/b 1"),
        Command("add server a/b 10.0.0.1:80"),
        Command("set server a/b state ready"),
    ]
    assert list(together(pod)) == [tuple(pod)]
