"""Session affinity by cookie (behaviour reference, part A, section 1)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation
from remora.annotations.values import basic, boolean, choice, seconds_from_now, spaced_url, text


@dataclass(frozen=True, slots=True)
class Affinity:
    """Whether and how the routes of an Ingress keep a client on its pod."""

    kind: str = annotation(
        "affinity",
        choice("cookie"),
        default="",
        scope=Scope.BACKEND,
        doc="`cookie` keeps every client on its pod by a cookie.",
        accepts=("cookie", " cookie "),
        refuses=("Cookie", "ip", ""),
        haproxy=("use-server", "balance hash", "http-after-response add-header Set-Cookie"),
    )
    mode: str = annotation(
        "affinity-mode",
        choice("balanced", "persistent"),
        default="balanced",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="`persistent` moves no session until its pod is gone; `balanced` gives new pods their fair share of the sessions.",
        accepts=("persistent", "balanced"),
        refuses=("Persistent", "sticky"),
        haproxy=("use-server", "balance hash"),
    )
    canary_behavior: str = annotation(
        "affinity-canary-behavior",
        choice("sticky", "legacy"),
        default="sticky",
        scope=Scope.BACKEND,
        doc="On a canary: whether its clients stay there (`sticky`), as those of the other side do anyway, or not (`legacy`).",
        accepts=("sticky", "legacy"),
        refuses=("Sticky", "on"),
    )
    cookie_name: str = annotation(
        "session-cookie-name",
        basic,
        default="INGRESSCOOKIE",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="The cookie's name, case-sensitive.",
        accepts=("route", "SERVERID", "app.session_id"),
        refuses=("a;b", "a b", "a=b", ""),
    )
    cookie_secure: bool = annotation(
        "session-cookie-secure",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        doc="`true` always sends the attribute Secure; otherwise it is sent when the client came over TLS.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    cookie_path: str = annotation(
        "session-cookie-path",
        spaced_url,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="It belongs to the Ingress that has it, also where another one uses the same service. Without it, a regular "
        "expression's cookie gets the path's literal beginning, since a browser would never send it back for the expression.",
        doc="The cookie's Path; without it, the rule's path.",
        accepts=("/", "/app", "/a?b=c"),
        refuses=("/a;b", "/a|b", "/a\nb"),
    )
    cookie_domain: str = annotation(
        "session-cookie-domain",
        basic,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="The cookie's Domain; without it, the attribute is not sent.",
        accepts=(".example.com", "example.com"),
        refuses=("example.com;", "a b"),
    )
    cookie_same_site: str = annotation(
        "session-cookie-samesite",
        choice("None", "Lax", "Strict"),
        default="",
        scope=Scope.BACKEND,
        doc="The cookie's SameSite: `None`, `Lax` or `Strict`, spelled so (any other spelling never had an effect).",
        accepts=("None", "Lax", "Strict"),
        refuses=("strict", "LAX", "any"),
    )
    cookie_conditional_same_site: bool = annotation(
        "session-cookie-conditional-samesite-none",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        doc="`true` leaves `SameSite=None` out for the browsers of 2018 and 2019 that misread it.",
        accepts=("true", "0"),
        refuses=("maybe",),
    )
    cookie_expires: int | None = annotation(
        "session-cookie-expires",
        seconds_from_now,
        default=None,
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="Seconds until the cookie's Expires.",
        accepts=("172800", "0", "-1"),
        refuses=("abc5", "1d", "99999999999", ""),
    )
    cookie_max_age: int | None = annotation(
        "session-cookie-max-age",
        seconds_from_now,
        default=None,
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="The cookie's Max-Age in seconds.",
        accepts=("60", "172800", "-1"),
        refuses=("60s", "1.5"),
    )
    cookie_change_on_failure: bool = annotation(
        "session-cookie-change-on-failure",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        doc="`true` gives a client whose pod fails another pod and another cookie at once.",
        accepts=("true", "false"),
        refuses=("on",),
    )
    cookie_hash: str = annotation(
        "session-cookie-hash",
        text,
        default="",
        scope=Scope.BACKEND,
        support=Support.WITHOUT_EFFECT,
        differs="It chose how keys were digested, until ingress-nginx 0.24; keys are random or keyed hashes now.",
        doc="Historic: `md5`, `sha1` or `index`.",
        accepts=("md5", "sha1", "index"),
    )
