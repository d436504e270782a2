"""Replies from bytes, however they arrive."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from remora.apply.counters import CounterSum, Counts, parse_counts
from remora.apply.protocol import ReplyReader, command_bytes
from remora.model import RouteId

replies = st.lists(st.text("abc .\n'!", max_size=20).map(lambda text: text.strip("\n")), max_size=6)


@given(replies, st.integers(1, 5))
def test_replies_do_not_depend_on_how_the_bytes_are_cut(texts: list[str], size: int) -> None:
    stream = b"".join(f"{text}\n\n> ".encode() for text in texts)
    reader = ReplyReader()
    found = [reply for start in range(0, len(stream), size) for reply in reader.feed(stream[start : start + size])]
    assert found == texts


def test_the_prompts_for_a_payload_are_no_part_of_the_reply() -> None:
    assert list(ReplyReader().feed(b"+ + + Success!\n\n> ")) == ["Success!"]


def test_a_payload_ends_with_an_empty_line() -> None:
    assert command_bytes("add map m", "a b\nc d") == b"add map m <<\na b\nc d\n\n"
    assert command_bytes("show map") == b"show map\n"


TABLE = """# table: requests, type: string, size:204800, used:1
0x1: key=abc use=0 exp=0 shard=0 gpc0={} gpc2=1 gpc20=0
"""


def test_a_worker_that_did_not_answer_once_is_not_counted_twice() -> None:
    sums = CounterSum()
    told: list[dict[int, Counts]] = [{1: parse_counts(TABLE.format(5))}, {}, {1: parse_counts(TABLE.format(6))}, {1: Counter()}]
    for workers in told:
        total = {(item.route, item.code): item.count for item in sums.update(workers)}
    assert total[RouteId("abc"), 200] == 6


def test_counts_never_go_down_when_a_worker_ends() -> None:
    sums = CounterSum()
    sums.update({1: parse_counts(TABLE.format(5))})
    sums.update({1: parse_counts(TABLE.format(6)), 2: parse_counts(TABLE.format(1))})
    total = {(item.route, item.code): item.count for item in sums.update({2: parse_counts(TABLE.format(2))})}
    assert total == {(RouteId("abc"), 200): 8, (RouteId("abc"), 404): 2}
