"""Definitions whose patterns and rules would never come to an end, or fill all memory."""

from typing import Any

import pytest

from remora.cluster.api import kinds
from remora.cluster.api.custom.version import parse_version
from remora.cluster.api.errors import Cause
from remora.cluster.api.kinds import check_change
from remora.cluster.api.resources import RESOURCES

TEXT = {"type": "string"}
ALL = "self.items.all(a, "


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_LONGEST_CHECK", 0.1)


def faults_of(schema: dict[str, Any], value: Any) -> list[Cause]:
    text = {"type": "object", "properties": {"spec": schema}}
    row = RESOURCES.stored("configmaps")
    custom = parse_version({"name": "v1", "schema": {"openAPIV3Schema": text}, "additionalPrinterColumns": []})
    row = type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | {"custom": custom})
    return list(check_change(row, {"metadata": {"name": "a"}, "spec": value}, None))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)*$", "^(a*)*b$"])
def test_a_pattern_that_tries_without_end_is_given_up(pattern: str) -> None:
    found = faults_of({**TEXT, "pattern": pattern}, "a" * 60 + "!")
    assert ["cost budget" in cause.message for cause in found] == [True]


DOUBLED = "".join(f"cel.bind(x{n}, x{n - 1} + x{n - 1}, " for n in range(1, 50)) + "x49 == ''" + ")" * 49
NESTED = "".join(f"cel.bind(x{n}, [x{n - 1}, x{n - 1}], " for n in range(1, 50))
SHARED = f"cel.bind(y0, [1], cel.bind(x0, [1], {NESTED}x49 == {NESTED.replace('x', 'y')}y49" + ")" * 100


@pytest.mark.parametrize(
    "rule",
    [
        ALL + "self.items.all(b, self.items.all(c, self.items.all(d, a + b + c + d != 'x'))))",
        f"cel.bind(x0, 'abcd', {DOUBLED})",
        SHARED,
        "self.items.map(a, self.items.map(b, 'x'.replace('x', a).replace('a', self.long).replace('a', self.long))).size() == 0",
        "self.items.map(a, self.items.map(b, self.items.map(c, self.long))).map(x, '%s'.format([x])).size() == 0",
        "self.long.matches('^(a+)+$')",
        "'%.999999999f'.format([1.0]) == ''",
        "9" * 5000 + " > 1",
    ],
)
def test_a_rule_that_goes_on_without_end_is_given_up(rule: str) -> None:
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": TEXT}, "long": TEXT},
        "x-kubernetes-validations": [{"rule": rule}],
    }
    found = faults_of(schema, {"items": ["a"] * 300, "long": "a" * 3000 + "!"})
    messages = [cause.message for cause in found]
    assert not messages or any("cost" in message or "recursion" in message for message in messages), messages


def test_many_elements_of_a_set_are_compared_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_LONGEST_CHECK", 5.0)
    schema = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}
    found = faults_of(schema, [*range(50_000), 7])
    assert [(cause.field, cause.reason) for cause in found] == [("spec[50000]", "FieldValueDuplicate")]
