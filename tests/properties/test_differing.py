"""Comparing by identity finds just what is in one sequence and not in the other."""

from hypothesis import given
from hypothesis import strategies as st

from remora.core.differing import differing

POOL = [object() for _ in range(12)]
picks = st.lists(st.sampled_from(POOL), max_size=12, unique_by=id)


@given(picks, picks)
def test_it_says_what_sets_say_in_the_order_in_which_things_stand(before: list[object], after: list[object]) -> None:
    gone, come = differing(before, after)
    assert gone == [one for one in before if one not in after]
    assert come == [one for one in after if one not in before]


@given(picks, st.integers(0, 11), st.integers(0, 3), picks)
def test_also_where_only_a_part_is_other(before: list[object], start: int, length: int, others: list[object]) -> None:
    after = [*before[:start], *(one for one in others if one not in before), *before[start + length :]]
    gone, come = differing(tuple(before), tuple(after))
    assert gone == [one for one in before if one not in after]
    assert come == [one for one in after if one not in before]


@given(st.integers(0, 1100), st.integers(0, 3), st.integers(0, 3), st.integers(0, 6))
def test_also_in_long_sequences(start: int, length: int, further: int, cut: int) -> None:
    before = [object() for _ in range(1100)]
    after = [*before[:start], *(object() for _ in range(further)), *before[start + length :]][: len(before) - cut]
    gone, come = differing(tuple(before), tuple(after))
    former, now = set(before), set(after)
    assert gone == [one for one in before if one not in now]
    assert come == [one for one in after if one not in former]
