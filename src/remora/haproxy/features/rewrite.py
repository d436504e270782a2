"""Path rewriting: data, an entry of the map `rewrites`.

Replacing the whole path and stripping a prefix are HAProxy's own doing. With captures it is Lua that matches
(`lua/rewrite.lua`), since HAProxy takes regular expressions only in its text, which would cost a reload.
"""

from collections.abc import Iterator
from typing import assert_never

from remora.haproxy.grammar import Directive, rule
from remora.model import ConstantPath, PathRewrite, ReplacePath, StripPrefix

_STRIP = r'var(txn.rewrite),bytes(1),concat(;,txn.raw_path),regsub("^(?:([^;]*);\1/*(.*)|[^;]*;/*(.*))$","/\2\3",i)'
"""The prefix, put in front of the path, is found again behind it by a back-reference; a path without it stays as it is."""


def request_rules(rewrites_map: str) -> Iterator[Directive]:
    """The rules of rich classes. A path that needs it is normalised first, as nginx does before it rewrites."""
    yield rule("http-request set-var(txn.rewrite)", f"var(txn.route),map_str({rewrites_map})")
    is_rewritten = "{ var(txn.rewrite) -m found }"
    yield from normalising_rules(f"{{ var(txn.odd) -m bool }} {is_rewritten}")
    yield rule("http-request set-var(txn.raw_path)", "path", when=is_rewritten)
    yield rule("http-request set-path", "%[var(txn.rewrite),bytes(1)]", when="{ var(txn.rewrite) -m beg = }")
    yield rule("http-request set-path", f"%[{_STRIP}]", when="{ var(txn.rewrite) -m beg ~ }")
    yield rule("http-request lua.rewrite_path", when="{ var(txn.rewrite) -m beg * }")


def normalising_rules(when: str) -> Iterator[Directive]:
    """Merges slashes, resolves dots and decodes what needs no encoding (RFC 3986 section 6.2.2), in the request itself."""
    # Without "strict" 2.8 takes the condition for none that ever holds; with it a broken %-sequence is a 400, as in nginx.
    for step in ("percent-decode-unreserved strict", "percent-to-uppercase", "path-merge-slashes", "path-strip-dot"):
        yield rule(f"http-request normalize-uri {step}", when=when)
    yield rule("http-request normalize-uri path-strip-dotdot full", when=when)


def rewrite_entry(rewrite: PathRewrite) -> str:
    """The value of the map `rewrites`: `=` and the new path, `~` and the prefix that goes, or `*`, a path with `$1` for what
    the first group took, a blank, and the expression as HAProxy compiles it."""
    match rewrite:
        case ConstantPath(path=path):
            return f"={path}"
        case StripPrefix(prefix=prefix):
            return f"~{prefix}"
        case ReplacePath(pattern=pattern, replacement=replacement):
            return f"*{replacement.replace(' ', '%20')} (?i)^(?:{pattern.removeprefix('^')}).*"
        case _:
            assert_never(rewrite)
