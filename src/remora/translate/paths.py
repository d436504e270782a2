"""How the path of a rule is matched, and what becomes of it (behaviour reference, part A, sections 4 and 5)."""

import re

from remora.model import ConstantPath, ExactPath, PathMatch, PathRewrite, PrefixPath, RegexPath, ReplacePath, StripPrefix
from remora.translate.patterns import group_count

_PLAIN = re.compile(r"[A-Za-z0-9/_.~%@:!&=,;-]*")
_LITERAL = r"(?P<prefix>(?:/(?:[A-Za-z0-9_~-]|\\[.~_-])+)+)"
_STRIPPING = (
    (re.compile(_LITERAL + r"\(/\|\$\)\(\.\*\)"), "/$2"),
    (re.compile(_LITERAL + r"/\(\.\*\)"), "/$1"),
)
"""The shapes that people write for "strip the prefix", and their targets."""
_KEEPING = {("/(.*)", "/$1"), ("/()(.*)", "/$2"), ("/(/|$)(.*)", "/$2")}
"""Patterns and targets that leave the path as it is."""


_SURE_BEGINNING = re.compile(r"(?:[A-Za-z0-9/_~%@:!&=,;-]|\\[^A-Za-z0-9])+(?![?*{])")


def match_of(path: str, path_type: str, *, is_regex: bool) -> PathMatch:
    """What the path of a rule matches. `path` begins with a slash.

    On a host with regular expressions every path is one, whatever its type. Otherwise ImplementationSpecific is Prefix; a
    slash at the end of a prefix means nothing (Kubernetes' definition; ingress-nginx redirects `/foo` to `/foo/`).
    """
    if is_regex:
        return RegexPath(path)
    merged = re.sub("/+", "/", path)
    return ExactPath(merged) if path_type == "Exact" else PrefixPath(merged.removesuffix("/"))


def asks_for_regex(path: str, *, target: str, use_regex: bool) -> bool:
    """Whether a rule turns its host's paths into regular expressions."""
    if use_regex:
        return True
    return bool(target) and target != path and ("$" in target or not _PLAIN.fullmatch(path))


def find_rewrite(path: str, target: str, *, is_regex: bool) -> PathRewrite | None:
    """What becomes of a request's path under a rule; None if it stays as it is.

    The path as a whole becomes the target. The usual way to strip a prefix is recognised, since that costs the proxy less than
    captures do. Groups that the pattern does not have are empty.
    """
    if not target or target == path or (path, target) in _KEEPING:
        return None
    count = group_count(path) if is_regex else 0
    replacement = re.sub(r"\$([1-9])", lambda group: group[0] if int(group[1]) <= count else "", target)
    if "$" not in replacement:
        return ConstantPath(replacement or "/")
    for shape, stripping_target in _STRIPPING:
        found = shape.fullmatch(path)
        if found and target == stripping_target:
            return StripPrefix(re.sub(r"\\(.)", r"\1", found["prefix"]))
    return ReplacePath(path, replacement)


def stand_in_of(pattern: str) -> RegexPath:
    """What closes the paths of a pattern that cannot be run: all that begin with what the pattern surely begins with.

    It is as long as the pattern, or one character longer, because the longest is tried first.
    """
    found = None if has_alternatives(pattern) else _SURE_BEGINNING.match(pattern)
    beginning = found[0] if found else "/"
    return RegexPath(beginning + ".?" * ((len(pattern) - len(beginning) + 1) // 2))


def has_alternatives(pattern: str) -> bool:
    """Whether a `|` stands outside of all groups."""
    depth = 0
    for character in re.sub(r"\\.|\[[^]]*\]", "", pattern):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return True
    return False
