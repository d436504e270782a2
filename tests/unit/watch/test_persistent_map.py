from hypothesis import given
from hypothesis import strategies as st

from remora.watch.persistent import PersistentMap

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
        assert all(key in got and got[key] == got.get(key) == value for key, value in wanted.items())


def test_what_is_not_there_is_none_or_the_default() -> None:
    empty: PersistentMap[str, int] = PersistentMap()
    assert empty.get("a") is None
    assert empty.get("a", 7) == 7
    assert "a" not in empty
    assert repr(empty.changed({"a": 1})) == "PersistentMap({'a': 1})"
