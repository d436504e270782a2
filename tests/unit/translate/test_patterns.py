import ctypes
import ctypes.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.translate.patterns import LONGEST_PATTERN, find_pattern_fault, group_count

PCRE = ctypes.util.find_library("pcre2-8")

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
    r"/x(?#\))|.*(?#\)((a|)",  # to PCRE it closes the group behind the host, and takes every path of every host
    r"/x(?#\Q))\E|.*(?#\Q)(\E",
    r"/[[:a\]b:]x]",
    r"/[a\R]",
    "/[a(?s)-$]",
]


# What a class, a comment, a quotation and their ends are made of, by which two readers may lose sight of each other.
TOKENS = (
    *("a", ".", "*", "+", "?", "{2}", "{,3}", "{1,", "(", ")", "[", "[", "]", "]", "^", "-", "|", "$", " ", "\n"),
    *("é", "#", ":", "(?#", "(?:", "(?=", "(?<=", "(?<n>", "(?P<n>", "(?P=n)", "(?i)", "(?i:", "(?-i)", "(?>"),
    *("(?x", "(?|", "(?^", "(?1)", "[:", ":]", "[.", "[=", ".]", "\\", "\\Q", "\\E", "\\]", "\\[", "\\)", "\\("),
    *("\\1", "\\0", "\\d", "\\h", "\\R", "\\b", "\\B", "\\x", "\\x41", "\\x{41}", "\\o{1}", "\\A", "\\Z", "\\z"),
    *("\\K", "\\G", "\\X", "\\N", "\\N{1}", "\\cA", "\\8", "(?<!", "(?P>n)"),
)


def pcre_groups(pattern: str) -> int | None:
    """How many groups the proxy's own library finds; None if it refuses the pattern."""
    library = ctypes.CDLL(PCRE)
    library.pcre2_compile_8.restype = ctypes.c_void_p
    error, place, count, data = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_uint32(), pattern.encode()
    code = library.pcre2_compile_8(
        data, ctypes.c_size_t(len(data)), ctypes.c_uint32(8), ctypes.byref(error), ctypes.byref(place), None
    )
    if not code:
        return None
    library.pcre2_pattern_info_8(ctypes.c_void_p(code), ctypes.c_uint32(4), ctypes.byref(count))
    library.pcre2_code_free_8(ctypes.c_void_p(code))
    return count.value


@pytest.mark.skipif(PCRE is None, reason="PCRE's library is not installed")
@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=9).map("".join))
def test_a_pattern_that_is_taken_has_the_same_brackets_for_pcre(text: str) -> None:
    if find_pattern_fault(f"/{text}") is None:
        assert pcre_groups(f"/{text}") == group_count(f"/{text}")


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
