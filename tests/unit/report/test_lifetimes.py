import msgspec
import pytest

from remora.haproxy.features.session_lifetime import derive_key, sign
from remora.model import SessionPolicy
from remora.report.lifetimes import Judge, why_over
from tests.support.models import sticky

KEY = derive_key(b"key")
NOW = 1_800_000_000
AFFINITY = msgspec.structs.replace(sticky(), sessions=SessionPolicy(idle_timeout=600, absolute_timeout=7200))


def stamp(*, age: int, idle: int) -> str:
    text = f"{'a' * 32}.{NOW - age:08x}.{NOW - idle:08x}"
    return f"{text}.{sign(KEY, text)}"


@pytest.mark.parametrize(
    ("age", "idle", "words"),
    [(100, 100, ""), (7200, 10, ""), (1000, 700, "idle for 700 s"), (7300, 10, "7300 s old"), (-3, -3, "")],
)
@pytest.mark.parametrize("form", ["{}~pod|b", "pod|b|{}"])
def test_a_session_is_over_by_its_stamp(form: str, age: int, idle: int, words: str) -> None:
    why = why_over(form.format(stamp(age=age, idle=idle)), AFFINITY, Judge(KEY, NOW))
    assert words in why
    assert bool(words) == bool(why)


def test_of_a_tracked_session_the_proxy_may_know_more() -> None:
    tracked = msgspec.structs.replace(AFFINITY, sessions=SessionPolicy(idle_timeout=600, absolute_timeout=7200, tracking=True))
    assert "only the proxy knows" in why_over(f"{stamp(age=1000, idle=700)}~pod|b", tracked, Judge(KEY, NOW))
    assert "only the proxy knows" not in why_over(f"{stamp(age=7300, idle=10)}~pod|b", tracked, Judge(KEY, NOW))


def test_an_altered_stamp_is_not_signed() -> None:
    altered = stamp(age=9000, idle=10).replace("a" * 32, "b" * 32)
    assert "signed" in why_over(f"{altered}~pod|b", AFFINITY, Judge(KEY, NOW))


@pytest.mark.parametrize("value", ["pod|b", "key~pod|b", "", "|||", "1712345679.901.33.567890|b"])
def test_without_a_stamp_nothing_is_over(value: str) -> None:
    assert why_over(value, AFFINITY, Judge(KEY, NOW)) == ""


def test_without_lifetimes_or_a_judge_nothing_is_over() -> None:
    value = f"{stamp(age=90000, idle=90000)}~pod|b"
    assert why_over(value, sticky(), Judge(KEY, NOW)) == ""
    assert why_over(value, AFFINITY, None) == ""


def test_a_judge_keeps_its_key_to_itself() -> None:
    assert KEY not in repr(Judge(KEY, NOW))
