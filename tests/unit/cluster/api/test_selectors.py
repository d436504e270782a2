"""Label and field selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.errors import ApiError
from remora.cluster.api.fields import check_fields, matches_fields
from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.selectors import Requirement, Selector, SelectorError, parse_field_selector, parse_label_selector

LABELS = {"app": "web", "tier": "front", "level": "5"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app",
        "app=web",
        "app==web",
        "app!=db",
        "other!=x",
        "!other",
        "! other",
        "app in (web,db)",
        "app in ( web , db )",
        "tier notin (back)",
        "other notin (x)",
        "app=web,tier=front",
        "app,!other,level>4,level<6",
    ],
)
def test_what_holds_matches(text: str) -> None:
    assert parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "app=db",
        "other",
        "!app",
        "app!=web",
        "app in (db)",
        "app notin (web)",
        "other=",
        "level>5",
        "level<5",
        "app>1",
        "app=web,other",
    ],
)
def test_what_does_not_hold_does_not_match(text: str) -> None:
    assert not parse_label_selector(text).matches(LABELS)


def test_an_empty_value_is_a_value() -> None:
    assert parse_label_selector("a=").matches({"a": ""})
    assert parse_label_selector("a=,b").matches({"a": "", "b": "1"})


@pytest.mark.parametrize("text", ["x===1", "=a", "a in b", "a in (", "a,", "a b", "a=(b)", "a in (b", ",a"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_label_selector(text)


def test_the_refusal_is_in_the_words_of_kubernetes() -> None:
    with pytest.raises(SelectorError, match=r"^unable to parse requirement: found '=', expected: identifier$"):
        parse_label_selector("x===1")


words = st.text("abc-./", min_size=1, max_size=5).filter(lambda text: text not in ("in", "notin"))


@given(st.lists(st.tuples(words, st.sampled_from(["=", "!="]), words), max_size=4))
def test_a_selector_of_equalities_is_read_as_written(parts: list[tuple[str, str, str]]) -> None:
    text = ",".join(f"{key}{operator}{value}" for key, operator, value in parts)
    wanted = tuple(Requirement(key, "in" if operator == "=" else "notin", (value,)) for key, operator, value in parts)
    assert parse_label_selector(text) == Selector(wanted)


POD = {"metadata": {"name": "p", "namespace": "d"}, "spec": {"nodeName": "remora"}, "status": {"phase": "Running"}}
EVENT = {
    "metadata": {"name": "e", "namespace": "d"},
    "involvedObject": {"kind": "Pod", "name": "p"},
    "reportingComponent": "kubelet",
    "type": "Normal",
}


@pytest.mark.parametrize("text", ["metadata.name=p", "metadata.namespace=d,status.phase!=Failed", "spec.nodeName=remora", ""])
def test_fields_of_a_pod_select_it(text: str) -> None:
    assert matches_fields(POD, parse_field_selector(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("involvedObject.kind=Pod,involvedObject.name=p", True),
        ("regarding.kind=Pod", True),
        ("source=kubelet", True),
        ("type=Warning", False),
        ("involvedObject.uid=", True),
    ],
)
def test_fields_of_an_event_select_it(text: str, expected: bool) -> None:
    check_fields(RESOURCES.stored("events"), parse_field_selector(text))
    assert matches_fields(EVENT, parse_field_selector(text)) is expected


def test_a_backslash_protects_what_separates() -> None:
    assert parse_field_selector(r"metadata.name=a\,b").requirements[0].values == ("a,b",)


def test_a_field_that_cannot_be_selected_by_is_refused_in_the_words_of_kubernetes() -> None:
    with pytest.raises(ApiError) as refused:
        check_fields(RESOURCES.stored("configmaps"), parse_field_selector("data.k=v"))
    assert refused.value.message == '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'


def test_text_without_an_operator_is_no_field_selector() -> None:
    with pytest.raises(SelectorError):
        parse_field_selector("metadata.name")
