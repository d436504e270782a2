import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.translate.patterns import LONGEST_PATTERN, find_pattern_fault, group_count

TAKEN = [
    "/foo",
    "/[a-z]{3}",
    "/api(/|$)(.*)",
    r"/\h+\R",
    "/(?i)x",
    "/(?<name>x)",
    "/a++(?>b)",
    r"/\Qx(\E",
    "/foo[.]bar[.]html",
    "/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"/.+\.(?:js|css)$",
    "/é",
    r"/\R+x",
]
REFUSED = [
    "/(a",
    "/a)",
    "/[a",
    "/(?:*a)",
    "/a**",
    "/[z-a]",
    "/a{3,2}",
    "/\\",
    "/(?i)+",
    "/(?!)+",
    r"/\Qx",
    r"/\u0041",
    "/(?x)/a #",
    "/(?a:x)",
    "/(?P<" + "n" * 40 + ">x)",
    "/[[:alpha:]]",
    "/[=x=]",
    "/a{70000}",
    "/(*FAIL)",
    r"/(?<=\R)x",
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert find_pattern_fault(pattern) is None


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_pcre_refuses_is_refused(pattern: str) -> None:
    assert find_pattern_fault(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["/" + "a" * LONGEST_PATTERN, "/" + "(" * 1500, "/((a{900}){900})", "/(abcdef(ghi){50}){50}", "/" + "(a" * 900 + ")" * 900],
)
def test_what_is_too_large_is_refused(pattern: str) -> None:
    assert find_pattern_fault(pattern)


@pytest.mark.parametrize("pattern", ["/((a{900}){900})", "/(abcdef(ghi){50}){50}"])
def test_what_grows_too_large_is_refused(pattern: str) -> None:
    assert find_pattern_fault(pattern) == "it is too large"


def test_a_count_beyond_all_measure_is_refused_before_it_is_computed() -> None:
    assert find_pattern_fault("/a{" + "9" * 1000 + "}")


@pytest.mark.parametrize(("pattern", "count"), [("/foo", 0), ("/(a)(?:b)((c))", 3), (r"/\h(?<n>x)", 1)])
def test_groups_are_counted_as_pcre_does(pattern: str, count: int) -> None:
    assert group_count(pattern) == count


@given(st.text(st.sampled_from("a/()[]{}\\^$.*+?|-:=<>!Q1,é"), max_size=12))
def test_any_text_has_an_answer(text: str) -> None:
    if find_pattern_fault(f"/{text}") is None:
        assert group_count(f"/{text}") <= len(text)
