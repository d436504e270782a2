"""Path rewriting.

Replacing the whole path and stripping a prefix are data: an entry of the map `rewrites`. A rewrite with captures is the
text of a dedicated backend.
"""

import re
from collections.abc import Iterator

from remora.haproxy.grammar import Directive, literal, rule
from remora.model import ConstantPath, ReplacePath, StripPrefix

_STRIP = r'var(txn.rewrite),bytes(1),concat(;,txn.raw_path),regsub("^(?:([^;]*);\1/*(.*)|[^;]*;/*(.*))$","/\2\3",i)'
"""The prefix, put in front of the path, is found again behind it by a back-reference; a path without it stays as it is."""


def request_rules(rewrites_map: str) -> Iterator[Directive]:
    """The rules of rich classes. A path that needs it is normalised first, as nginx does before it rewrites."""
    yield rule("http-request set-var(txn.rewrite)", f"var(txn.route),map_str({rewrites_map})")
    is_rewritten = "{ var(txn.rewrite) -m found }"
    yield from normalising_rules(f"{is_rewritten} {{ var(txn.odd) -m bool }}")
    yield rule("http-request set-var(txn.raw_path)", "path", when=is_rewritten)
    yield rule("http-request set-path", "%[var(txn.rewrite),bytes(1)]", when="{ var(txn.rewrite) -m beg = }")
    yield rule("http-request set-path", f"%[{_STRIP}]", when="{ var(txn.rewrite) -m beg ~ }")


def normalising_rules(when: str) -> Iterator[Directive]:
    """Merges slashes, resolves dots and decodes what needs no encoding (RFC 3986 section 6.2.2), in the request itself."""
    # Without "strict" 2.8 takes the condition for none that ever holds; with it a broken %-sequence is a 400, as in nginx.
    for step in ("percent-decode-unreserved strict", "percent-to-uppercase", "path-merge-slashes", "path-strip-dot"):
        yield rule(f"http-request normalize-uri {step}", when=when)
    yield rule("http-request normalize-uri path-strip-dotdot full", when=when)


def rewrite_entry(rewrite: ConstantPath | StripPrefix) -> str:
    """The value of the map `rewrites`: `=` and the new path, or `~` and the prefix that goes."""
    match rewrite:
        case ConstantPath(path=path):
            return f"={path}"
        case StripPrefix(prefix=prefix):
            return f"~{prefix}"


def dedicated_rules(rewrite: ReplacePath) -> Iterator[Directive]:
    """What a dedicated backend does to the path.

    Raises:
        ValueError: pattern or replacement holds a control character.
    """
    yield from normalising_rules("{ var(txn.odd) -m bool }")
    pattern = f"(?i)^(?:{rewrite.pattern.removeprefix('^')}).*"
    replacement = re.sub(r"\$(\d)", r"\\\1", literal(rewrite.replacement.replace("\\", "\\\\")))
    yield rule("http-request replace-path", pattern, replacement)
