"""Texts of clients who mean harm."""

import pytest

from remora.cluster.api.errors import ApiError
from remora.cluster.api.parsing import load_yaml, parse_json

LAUGHS = "x0: &x0 [a,a,a,a,a,a,a,a,a,a]\n" + "".join(f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 9))
MERGED = "x0: &x0 {a: 1}\n" + "".join(f"x{i}: &x{i} {{<<: [*x{i - 1}, *x{i - 1}]}}\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "excessive aliasing"),
        (MERGED, "excessive aliasing"),
        ("a: &a {b: *a}", "contains itself"),
        ("[" * 100_000, "exceeded max depth"),
        ("- " * 100_000, "exceeded max depth"),
        ("{a: " * 100_000, "exceeded max depth"),
        ("a: !!timestamp zz", "converting YAML"),
        ("{[1]: a}", "unhashable"),
    ],
)
def test_yaml_that_means_more_than_it_says_is_refused(text: str, why: str) -> None:
    with pytest.raises(ApiError, match=why):
        load_yaml(text.encode())


def test_yaml_is_read_as_json_would_say_it() -> None:
    assert load_yaml(b"{1: a, b: &b [2001-01-01], c: *b, d: !!binary aGk=}") == {
        "1": "a",
        "b": ["2001-01-01"],
        "c": ["2001-01-01"],
        "d": "aGk=",
    }


def test_half_a_character_is_replaced() -> None:
    text = rb'["\ud800", "\\ud800", "\ud83d\ude00", "\uD800\ud83d\ude00", "\ude00"]'
    assert parse_json(text, "X") == ["\ufffd", r"\ud800", "\U0001f600", "\ufffd\U0001f600", "\ufffd"]


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(ApiError, match="cannot unmarshal number 1e999"):
        parse_json(b'{"a": 1e999}', "X")


def test_keys_said_a_hundred_thousand_times_do_not_hang() -> None:
    assert parse_json(b"{" + b",".join([b'"a":1'] * 200_000) + b"}", "X") == {"a": 1}
