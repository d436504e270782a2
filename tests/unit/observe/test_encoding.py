import msgspec
import pytest

from remora.observe.encoding import PART, encode_report


class Inner(msgspec.Struct, frozen=True):
    name: str
    more: tuple[int, ...] = ()


class Outer(msgspec.Struct, frozen=True):
    at: float
    inner: tuple[Inner, ...]
    found: Inner | None = None


@pytest.mark.parametrize("count", [0, 1, PART, PART + 1, 3 * PART, 3 * PART + 7])
def test_a_report_in_parts_is_the_same_text(count: int) -> None:
    report = Outer(1.5, tuple(Inner(f"{number}, é]", (number,)) for number in range(count)))
    assert encode_report(report) == msgspec.json.encode(report)
