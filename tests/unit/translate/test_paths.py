import re

import pytest

from remora.model import ConstantPath, ExactPath, PathMatch, PathRewrite, PrefixPath, RegexPath, ReplacePath, StripPrefix
from remora.translate.affinity import literal_beginning, sendable_beginning
from remora.translate.paths import asks_for_regex, find_rewrite, match_of, stand_in_of


@pytest.mark.parametrize(
    ("path", "path_type", "match"),
    [
        ("/", "Prefix", PrefixPath("")),
        ("/foo", "Prefix", PrefixPath("/foo")),
        ("/foo/", "ImplementationSpecific", PrefixPath("/foo")),
        ("//foo//bar/", "Prefix", PrefixPath("/foo/bar")),
        ("/foo/", "Exact", ExactPath("/foo/")),
        ("/", "Exact", ExactPath("/")),
    ],
)
def test_paths_of_an_ordinary_host(path: str, path_type: str, match: PathMatch) -> None:
    assert match_of(path, path_type, is_regex=False) == match


@pytest.mark.parametrize("path_type", ["Exact", "Prefix", "ImplementationSpecific"])
def test_every_path_of_a_host_with_regular_expressions_is_one(path_type: str) -> None:
    assert match_of("/foo/", path_type, is_regex=True) == RegexPath("/foo/")


@pytest.mark.parametrize(
    ("path", "target", "use_regex", "is_asked"),
    [
        ("/", "", True, True),
        ("/", "", False, False),
        ("/api", "/", False, False),
        ("/api", "/$1", False, True),
        ("/api/.*", "/", False, True),
        ("/same(.*)", "/same(.*)", False, False),
    ],
)
def test_what_turns_a_host_to_regular_expressions(path: str, target: str, use_regex: bool, is_asked: bool) -> None:
    assert asks_for_regex(path, target=target, use_regex=use_regex) == is_asked


@pytest.mark.parametrize(
    ("path", "target", "rewrite"),
    [
        ("/api", "", None),
        ("/api", "/api", None),
        ("/(.*)", "/$1", None),
        ("/api", "/", ConstantPath("/")),
        ("/api", "/$1", ConstantPath("/")),
        ("/api", "$1", ConstantPath("/")),
        ("/api/(.*)", "/x", ConstantPath("/x")),
        ("/something(/|$)(.*)", "/$2", StripPrefix("/something")),
        ("/a/b-c/(.*)", "/$1", StripPrefix("/a/b-c")),
        (r"/v1\.0(/|$)(.*)", "/$2", StripPrefix("/v1.0")),
        ("/v1.0(/|$)(.*)", "/$2", ReplacePath("/v1.0(/|$)(.*)", "/$2")),
        ("/something(/|$)(.*)", "/new/$2", ReplacePath("/something(/|$)(.*)", "/new/$2")),
        ("/a/(.*)/b", "/$1/$2", ReplacePath("/a/(.*)/b", "/$1/")),
        (r"/a\h(.*)", "/$1", ReplacePath(r"/a\h(.*)", "/$1")),
    ],
)
def test_rewriting_on_a_host_with_regular_expressions(path: str, target: str, rewrite: PathRewrite | None) -> None:
    assert find_rewrite(path, target, is_regex=True) == rewrite


def test_a_literal_path_has_no_groups() -> None:
    assert find_rewrite("/a(b)", "/x", is_regex=False) == ConstantPath("/x")


@pytest.mark.parametrize(
    ("pattern", "beginning"),
    [
        ("/something(/|$)(.*)", "/something"),
        ("/foo/bar[0-9]+", "/foo"),
        ("/foo/(.*)", "/foo"),
        ("/foo(/.*)?", "/foo"),
        ("/foo(?:/.*)?", "/foo"),
        (r"/v1\.0/x$", "/v1.0/x"),
        ("/foo", "/foo"),
        ("/foo.*", "/"),
        ("/foo?", "/"),
        ("/foo/?(.*)", "/"),
        ("/(.*)", "/"),
        ("/a/x|/b", "/"),
        ("/a/(x|y)", "/a"),
    ],
)
def test_the_cookie_path_of_a_regular_expression_is_its_literal_beginning(pattern: str, beginning: str) -> None:
    assert literal_beginning(pattern) == beginning


@pytest.mark.parametrize(
    ("path", "beginning"), [("/foo/", "/foo/"), ("/", "/"), ("/a/b;c/d", "/a"), ("/a|b", "/"), ("/é/x", "/"), ("/a b", "/")]
)
def test_the_cookie_path_of_a_rule_ends_before_what_cannot_be_sent(path: str, beginning: str) -> None:
    assert sendable_beginning(path) == beginning


@pytest.mark.parametrize(
    ("pattern", "closed", "free"),
    [
        ("/admin(/.*)*", ["/admin", "/admin/x", "/admins"], ["/", "/adm"]),
        ("/admin[", ["/admin"], ["/adm"]),
        ("/admins?[", ["/admin", "/admins"], ["/adm"]),
        ("/a/*[", ["/a", "/a/b"], ["/b"]),
        (r"/v1\.0{2[", ["/v1.", "/v1.0"], ["/v1x0"]),
        ("/a[|/b", ["/a", "/b"], []),
        ("/(x+x+)+y", ["/", "/xxy"], []),
    ],
)
def test_what_stands_in_for_a_pattern_closes_all_that_it_may_mean(pattern: str, closed: list[str], free: list[str]) -> None:
    stand_in = stand_in_of(pattern).pattern
    assert [path for path in closed + free if re.match(stand_in, path)] == closed
    assert len(stand_in) - len(pattern) in (0, 1)
