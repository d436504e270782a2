"""Rewriting of paths (behaviour reference, part A, section 5)."""

from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Scope, Support, annotation
from remora.annotations.values import ValueRefused, absolute_path, basic, boolean, path_with_groups, shown


def prefix_without_groups(text: str) -> str:
    """A path, or the beginning of one."""
    value = "".join(text.split())
    if "$" in value:
        raise ValueRefused(f"{shown(value)} has a group of the path, which is not known here")
    return basic(value)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of a request's path, and how the paths of rules are read."""

    target: str = annotation(
        "rewrite-target",
        path_with_groups,
        default="",
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="A target without groups over a path that is no regular expression leaves the host's paths Exact and Prefix, "
        "case-sensitive and element by element; ingress-nginx turns all of them into regular expressions.",
        doc="The path sent to the pod; `$1` to `$9` stand for the groups of the rule's path. An http(s) URL "
        "redirects there, with status 302 and the query.",
        accepts=("/", "/$2", "/api/$1", "https://example.com/$1"),
        refuses=("/a?b=c", "/a b", "/$host", "/${1}", "", "https://$1.example.com/", "https:///a"),
        haproxy=("http-request set-path", "http-request replace-path"),
    )
    use_regex: bool = annotation(
        "use-regex",
        boolean,
        default=False,
        doc="`true` reads all paths of the host as regular expressions, case-insensitive and anchored at the start.",
        accepts=("true", "f"),
        refuses=("yes",),
        haproxy=("map_reg",),
    )
    app_root: str = annotation(
        "app-root",
        absolute_path,
        default="",
        scope=Scope.HOST,
        risk=Risk.MEDIUM,
        doc="Where a request for exactly `/` is sent, with status 302.",
        accepts=("/dashboard", "/app/"),
        refuses=("https://example.com", "dashboard", "/a?b"),
        haproxy=("http-request redirect",),
    )
    x_forwarded_prefix: str = annotation(
        "x-forwarded-prefix",
        prefix_without_groups,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="Groups of the path (`$1`) are refused.",
        doc="The header X-Forwarded-Prefix, sent to the pod when the path is rewritten.",
        accepts=("/api", "api"),
        refuses=("/$1", "/a?b", "/a|b"),
        haproxy=("http-request set-header",),
    )
