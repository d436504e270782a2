import pytest

from remora.cluster.api.authorization.rules import Attributes, Rule, allows, render_rules, uncovered

PODS = Rule(("get", "list"), ("",), ("pods",))


def on(resource: str, verb: str = "get", **more: str) -> Attributes:
    plain, _, subresource = resource.partition("/")
    return Attributes(verb=verb, resource=plain, subresource=subresource, **more)


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        (PODS, on("pods"), True),
        (PODS, on("pods", "delete"), False),
        (PODS, on("pods/log"), False),
        (PODS, on("pods", group="apps"), False),
        (Rule(("*",), ("*",), ("*",)), on("pods/log", "patch", group="x"), True),
        (Rule(("get",), ("",), ("*/scale",)), on("deployments/scale"), True),
        (Rule(("get",), ("",), ("*/scale",)), on("deployments"), False),
        (Rule(("get",), ("",), ("pods",), ("a",)), on("pods", name="a"), True),
        (Rule(("get",), ("",), ("pods",), ("a",)), on("pods", name="b"), False),
        (Rule(("create",), ("",), ("pods",), ("a",)), on("pods", "create"), False),
        (Rule(("get",), paths=("/healthz/*",)), Attributes(verb="get", path="/healthz/ping"), True),
        (Rule(("get",), paths=("/healthz",)), Attributes(verb="get", path="/healthz/ping"), False),
        (Rule(("get",), paths=("*",)), Attributes(verb="get", path="/x"), True),
        (Rule(("get",), paths=("*",)), on("pods"), False),
    ],
)
def test_a_rule_allows_what_it_says(rule: Rule, asked: Attributes, expected: bool) -> None:
    assert allows(rule, asked) is expected


def test_what_is_not_held_is_named_in_its_smallest_parts() -> None:
    wanted = [Rule(("get", "delete"), ("",), ("pods", "secrets"))]
    missing = uncovered([PODS, Rule(("*",), ("",), ("secrets",), ("own",))], wanted)
    assert render_rules(missing) == (
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


def test_who_holds_everything_may_hand_on_everything() -> None:
    everything = [Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",))]
    assert not uncovered(everything, [PODS, Rule(("get",), paths=("/metrics",)), *everything])
    assert uncovered([PODS], everything)


def test_a_named_object_is_covered_by_its_name_and_by_all_names() -> None:
    named = [Rule(("get",), ("",), ("pods",), ("a",))]
    assert not uncovered([PODS], named)
    assert not uncovered(named, named)
    assert uncovered(named, [Rule(("get",), ("",), ("pods",), ("b",))])
    assert uncovered(named, [Rule(("get",), ("",), ("pods",))])
