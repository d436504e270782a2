"""Rules as definitions have them, and what they say."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.cel import CelError, compile_expression
from remora.cluster.cel.values import parse_duration, regex, render_duration

SELF: dict[str, Any] = {
    "text": "a.b-c",
    "number": 7,
    "list": [3, 1, 2],
    "items": [{"name": "x", "port": 80}, {"name": "y"}],
    "map": {"k": "v"},
    "namespace": "n",
    "with-dash": True,
    "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def value_of(expression: str, **variables: Any) -> Any:
    names = {"self": SELF, **variables}
    return compile_expression(expression, tuple(names))(names)


@pytest.mark.parametrize(
    "expression",
    [
        "1 + 2 * 3 == 7 && -7 / 2 == -3 && -7 % 2 == -1",
        "'a' + 'b' == \"ab\" && [1] + [2] == [1, 2]",
        "self.number > 6 ? true : false",
        "self.number in [1, 7] && 'k' in self.map && !('z' in self.map)",
        "1 == 1.0 && 2.0 > 1 && true != false",
        "has(self.text) && !has(self.absent)",
        "self.absent == 1 || true",
        "!(false && self.absent)",
        "self.list.all(x, x > 0) && self.list.exists(x, x == 3) && self.list.exists_one(x, x > 2)",
        "self.list.filter(x, x > 1).map(x, x * 2) == [6, 4]",
        "self.items.all(one, self.items.exists_one(other, other.name == one.name))",
        "self.items.exists(i, has(i.port) && i.port == 80)",
        "self.map.all(key, key.matches('^[a-z]$')) && self.map.all(k, v, v == 'v')",
        "self.items.map(i, has(i.port), i.port) == [80]",
        "self.__namespace__ == 'n' && self.with__dash__dash",
        "self.text.contains('.') && self.text.startsWith('a') && self.text.endsWith('c')",
        "self.text.split('.') == ['a', 'b-c'] && self.text.substring(2) == 'b-c' && self.text.substring(0, 1) == 'a'",
        "self.text.replace('-', '+').upperAscii() == 'A.B+C' && ' x '.trim() == 'x' && 'abc'.charAt(1) == 'b'",
        "['a', 'b'].join('-') == 'a-b' && 'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3",
        "'%s has %d'.format(['x', 2]) == 'x has 2'",
        "self.text.find('[a-z]$') == 'c' && self.text.findAll('[a-z]') == ['a', 'b', 'c']",
        "size(self.list) == 3 && self.list.sum() == 6 && self.list.max() == 3 && [1, 2].isSorted()",
        "duration('1h30m') > duration('89m') && duration('90s').getMinutes() == 1",
        "self.at.getFullYear() == 2026 && self.at > timestamp('2026-01-01T00:00:00Z') && self.at.getMonth() == 0",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && isQuantity('100m') && !isQuantity('x')",
        "isIP('10.0.0.1') && !isIP('10.0.0') && cidr('10.0.0.0/8').containsIP('10.1.2.3') && ip('::1').family() == 6",
        "isURL('https://a.b/c') && url('https://a.b:8/c?d=e').getPort() == '8'",
        "format.dns1123Label().validate('Nope').hasValue() && !format.dns1123Label().validate('yes').hasValue()",
        "self.?absent.orValue(3) == 3 && self.?number.orValue(3) == 7 && !self.?absent.hasValue()",
        "optional.of(1).optMap(x, x + 1).value() == 2 && self.list[?9].orValue(0) == 0",
        "cel.bind(x, self.number, x + x) == 14",
        "sets.contains(self.list, [1, 2]) && math.greatest(1, 5) == 5",
        "type(1) == int && string(5) == '5' && int('5') == 5 && double('1.5') == 1.5",
        r"""'A.b'.matches(r'''^(?i)\.?[a-z]+\.b$''') && 'x'.matches("^x$") && !'x\n'.matches('^x$')""",
        "{'a': 1}.a == 1 && {'a': {'b': 2}}['a']['b'] == 2",
    ],
)
def test_what_is_true_is_said_to_be(expression: str) -> None:
    assert value_of(expression) is True


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("self.absent", "no such key: absent"),
        ("self.list[9]", "index out of bounds: 9"),
        ("self.number + 'a'", "no such overload"),
        ("self.text < 1", "no such overload"),
        ("self.text && true", "no such overload"),
        ("self.text.size", "no such overload"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("duration('soon')", 'invalid duration "soon"'),
        ("'a'.substring(5)", "index out of range: 5"),
        ("'a'.matches('[')", "error parsing regexp"),
        ("[1, 'a'].max()", "no such overload"),
        ("self.list.all(x, x.y)", "no such overload"),
    ],
)
def test_what_has_no_value_is_an_error_with_a_reason(expression: str, why: str) -> None:
    with pytest.raises(CelError) as caught:
        value_of(expression)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("self.", "Syntax error"),
        ("(1", "Syntax error"),
        ("1 +", "Syntax error"),
        ("#", "Syntax error"),
        ("", "Syntax error"),
        ("other.a", "undeclared reference to 'other'"),
        ("launch(self)", "undeclared reference to 'launch'"),
        ("self.launch()", "undeclared reference to 'launch'"),
        ("has(self)", "invalid argument to has() macro"),
        ("(" * 1000 + "1" + ")" * 1000, "recursion limit"),
    ],
)
def test_what_cannot_be_understood_is_found_when_it_is_read(expression: str, why: str) -> None:
    with pytest.raises(CelError) as caught:
        compile_expression(expression, ("self",))
    assert why in str(caught.value)


@given(st.text(alphabet="self.ab12 ()[]{}!?:&|<>=+-*/%'\",\\", max_size=40))
def test_no_text_does_anything_but_mean_something_or_be_refused(text: str) -> None:
    with contextlib.suppress(CelError):
        compile_expression(text, ("self",))({"self": SELF})


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1000)))
def test_durations_are_read_as_they_are_written(duration: timedelta) -> None:
    assert abs(parse_duration(render_duration(duration)) - duration) <= timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("pattern", "fitting", "not_fitting"),
    [
        ("^(?i)ab$", "AB", "AB\n"),
        ("^([a-z](?i)b)c$", "xBc", "xBC"),
        ("^[[:alpha:]]+$", "aZ", "1"),
        ("^[]a]+$", "]a", "b"),
        (r"^[\]$]+$", "]$", "a"),
        (r"^a\$$", "a$", "a"),
    ],
)
def test_patterns_mean_what_they_mean_in_go(pattern: str, fitting: str, not_fitting: str) -> None:
    assert regex(pattern).search(fitting)
    assert not regex(pattern).search(not_fitting)
