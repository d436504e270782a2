import json

from hypothesis import given
from hypothesis import strategies as st

from remora.dashboard.fragments import Element, Leaf, Ordered, Placed, Shell, differences, element_id, render, to_wire


def _leaf(id: str, text: str = "") -> Leaf:
    return Leaf(id, f'<li id="{id}">{text}</li>')


def _list(*children: Element, opening: str = '<ul id="all">') -> Shell:
    return Shell("all", opening, "</ul>", children)


def test_what_is_equal_differs_in_nothing() -> None:
    assert list(differences(_list(_leaf("a", "1")), _list(_leaf("a", "1")))) == []


def test_only_the_leaf_that_changed_is_sent() -> None:
    before, after = _list(_leaf("a", "1"), _leaf("b", "1")), _list(_leaf("a", "1"), _leaf("b", "2"))
    assert list(differences(before, after)) == [Placed("b", '<li id="b">2</li>')]


def test_a_new_child_comes_with_the_order_and_the_others_stay() -> None:
    changes = list(differences(_list(_leaf("a"), _leaf("c")), _list(_leaf("a"), _leaf("b"), _leaf("c"))))
    assert changes == [Ordered("all", ("a", "b", "c"), ('<li id="b"></li>',))]


def test_a_shell_whose_start_tag_changed_is_sent_whole() -> None:
    (change,) = differences(_list(_leaf("a")), _list(_leaf("a"), opening='<ul id="all" class="lit">'))
    assert change == Placed("all", '<ul id="all" class="lit"><li id="a"></li></ul>')


def test_changes_are_pairs_or_triples_for_the_script() -> None:
    wire = json.loads(to_wire([Placed("a", "<b></b>"), Ordered("l", ("a",), ())]))
    assert wire == [["a", "<b></b>"], ["l", ["a"], []]]


def test_ids_of_names_that_only_look_alike_differ() -> None:
    assert element_id("p", "a", "bc") != element_id("p", "ab", "c")


_leaves = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12")), unique_by=lambda one: one[0])


@given(_leaves, _leaves)
def test_applied_differences_make_the_later_page(first: list[tuple[str, str]], second: list[tuple[str, str]]) -> None:
    before, after = (_list(*(_leaf(*one) for one in leaves)) for leaves in (first, second))
    shown = {leaf.id: leaf.html for leaf in before.children if isinstance(leaf, Leaf)}
    order = list(shown)
    for change in differences(before, after):
        if isinstance(change, Placed):
            shown[change.id] = change.html
        else:
            fresh = iter(change.new)
            order = list(change.order)
            shown = {id: shown[id] if id in shown else next(fresh) for id in order}
    assert "".join(shown[id] for id in order) in render(after)
    assert render(after) == f'<ul id="all">{"".join(shown[id] for id in order)}</ul>'
