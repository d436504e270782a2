from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.annotations import values
from remora.annotations.allowlist import networks
from remora.annotations.values import ValueRefused


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
def test_go_words_for_true(text: str) -> None:
    assert values.boolean(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "false", "FALSE", "False"])
def test_go_words_for_false(text: str) -> None:
    assert values.boolean(text) is False


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "true\n", "2"])
def test_other_words_are_no_booleans(text: str) -> None:
    with pytest.raises(ValueRefused):
        values.boolean(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("+7", 7), ("-12", -12), ("9223372036854775807", 2**63 - 1)])
def test_decimal_numbers(text: str, number: int) -> None:
    assert values.integer(text) == number


@pytest.mark.parametrize("text", ["", "1.5", "1s", "0x10", "٣", "9223372036854775808", "9" * 5000, "1\n", "--1"])
def test_other_texts_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueRefused):
        values.integer(text)


def test_a_block_scalar_with_its_last_line_end_is_taken() -> None:
    assert values.basic("  route \n\n") == "route"


def test_lines_are_trimmed_and_joined_again() -> None:
    assert values.trimmed(" a \n  b\t\n") == "a\nb"
    assert values.comma_list(" a, b ,\n c,") == ("a", "b", "c")


ONE_LINERS: list[Callable[[str], str]] = [values.basic, values.url, values.spaced_url, values.path_with_groups, values.text]


@pytest.mark.parametrize("parse", ONE_LINERS)
@given(st.text(), st.sampled_from("\r\n\x00"), st.text())
def test_no_line_end_passes(parse: Callable[[str], str], before: str, end: str, after: str) -> None:
    try:
        value = parse(before + end + after)
    except ValueRefused:
        return
    assert not set(value) & {"\r", "\n", "\x00"}


def test_refusals_are_short() -> None:
    with pytest.raises(ValueRefused) as refused:
        values.basic("ü" * 10_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("text", ["99999999999", "-99999999999"])
def test_seconds_stay_within_a_century(text: str) -> None:
    with pytest.raises(ValueRefused, match="hundred years"):
        values.seconds_from_now(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("::ffff:127.0.0.1", ("127.0.0.1/32",)),
        ("::ffff:10.1.0.0/104, 10.0.0.0/8", ("10.0.0.0/8",)),
        ("::/0", ("::/0",)),
    ],
)
def test_ipv4_networks_that_are_written_as_ipv6_ones_are_what_clients_are_compared_with(
    text: str, found: tuple[str, ...]
) -> None:
    assert networks(text) == found
