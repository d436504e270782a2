from hypothesis import given
from hypothesis import strategies as st

from remora.core.persistent import PersistentMap, keys_differing, persistent

changes = st.lists(st.dictionaries(st.integers(0, 2000), st.none() | st.integers()), max_size=6)


@given(changes)
def test_it_holds_what_a_dict_would(steps: list[dict[int, int | None]]) -> None:
    wanted: dict[int, int] = {}
    got: PersistentMap[int, int] = PersistentMap()
    for step in steps:
        before, held = got, dict(got)
        got = got.changed(step)
        wanted = {key: value for key, value in (wanted | step).items() if value is not None}
        assert dict(before) == held
        assert dict(got) == wanted
        assert len(got) == len(wanted)
        assert dict(got.items()) == wanted
        assert all(key in got and got[key] == got.get(key) == value for key, value in wanted.items())


def test_what_is_not_there_is_none_or_the_default() -> None:
    empty: PersistentMap[str, int] = PersistentMap()
    assert empty.get("a") is None
    assert empty.get("a", 7) == 7
    assert "a" not in empty
    assert repr(empty.changed({"a": 1})) == "PersistentMap({'a': 1})"


@given(changes)
def test_where_two_differ_is_where_dicts_of_theirs_do(steps: list[dict[int, int | None]]) -> None:
    first: PersistentMap[int, object] = PersistentMap()
    last = first
    for step in steps:
        former, last = last, last.changed({key: value if value is None else [value] for key, value in step.items()})
        for before in (first, former, dict(former), last):
            wanted = {key for key in before.keys() | last.keys() if before.get(key) is not last.get(key)}
            assert sorted(keys_differing(before, last)) == sorted(wanted) == sorted(keys_differing(last, before))


def test_a_map_that_is_persistent_already_is_taken_as_it_is() -> None:
    made = persistent({"a": 1})
    assert persistent(made) is made
    assert made == {"a": 1}
