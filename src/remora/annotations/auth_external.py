"""Authentication by another service (behaviour reference, part B, section 1)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Support, annotation
from remora.annotations.templates import OBJECT_NAMES, Pieces, template
from remora.annotations.values import ValueRefused, boolean, choice, comma_list, duration, shown, trimmed, up_to

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
FRAMING = frozenset(
    ("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers that say how a message is to be read, or whose it is."""

_IN_HOST = OBJECT_NAMES | {"host", "http_host"}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "M": 30 * 86400, "y": 365 * 86400}
_LONGEST_KEPT = 10 * 365 * 86400
_WITHOUT_STATUS = (200, 301, 302)
"""What nginx keeps where only a time is given."""

url_template = template(r"A-Za-z0-9\-._~/:,?&=%+@ ", "an URL")
header_template = template(r" !#-~", "a text of printable ASCII without quotes")
key_template = template(r"A-Za-z0-9\-_{}", "a text of letters, digits and - _ { }")


@dataclass(frozen=True, slots=True)
class AuthUrl:
    """An URL in pieces; `port` is what it says or what the scheme means. Of variables, `host` has those that name it."""

    is_tls: bool
    host: Pieces
    port: int
    target: Pieces

    def __bool__(self) -> bool:
        return bool(self.host)

    def __str__(self) -> str:
        return f"port {self.port} of {'$'.join(self.host)}" if self else ""


NO_URL = AuthUrl(False, (), 0, ())


@dataclass(frozen=True, slots=True)
class KeptDurations:
    """For how many seconds answers are kept, by status; 0 is any."""

    seconds: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        times = dict.fromkeys(seconds for _, seconds in self.seconds)
        groups = ((time, [str(status or "any") for status, seconds in self.seconds if seconds == time]) for time in times)
        return ", ".join(f"{' '.join(statuses)} {time}s" for time, statuses in groups)


USUAL_DURATIONS = KeptDurations(((200, 300), (202, 300), (401, 300)))


def auth_url(text: str) -> AuthUrl:
    """An absolute http or https URL with variables."""
    value = trimmed(text)
    found = re.fullmatch(r"(https?)://([^/?#:@\s]+)(?::([0-9]{1,5}))?(/[^#\s]*|\?[^#\s]*)?", value)
    if found is None:
        raise ValueRefused(f"{shown(value)} is not an URL such as http://auth.default.svc.cluster.local/check")
    scheme, host_text, port_text, target_text = found.groups()
    host = template(r"A-Za-z0-9.\-", "a host name")(host_text)
    for name in host[1::2]:
        if name not in _IN_HOST:
            raise ValueRefused(f"{shown(value)} has a variable in its host that only a request fills")
    port = int(port_text) if port_text else 443 if scheme == "https" else 80
    if not 0 < port < 65536:
        raise ValueRefused(f"{port} is no port")
    target = target_text or "/"
    return AuthUrl(scheme == "https", host, port, url_template(target if target[0] == "/" else f"/{target}"))


def sign_in_url(text: str) -> Pieces:
    """An absolute http or https URL, or a path, with variables."""
    pieces = url_template(text)
    begins = re.match("https?://|/(?!/)", pieces[0]) or (not pieces[0] and pieces[1:2] in (("scheme",), ("told_scheme",)))
    if not begins:
        raise ValueRefused(f"{shown(text)} is not an URL such as https://auth.example.com/sign_in")
    return pieces


def passed_headers(text: str) -> tuple[str, ...]:
    """Names of headers between commas, in lower case; none of them says how a message is to be read."""
    names = tuple(dict.fromkeys(name.lower() for name in comma_list(text)))
    for name in names:
        if not re.fullmatch("[a-z0-9_-]{1,100}", name) or name.replace("_", "-") in FRAMING:
            raise ValueRefused(f"{shown(name)} is not the name of a header that may be passed on")
    return names


def parameter(text: str) -> str:
    """The name of a query's parameter."""
    value = trimmed(text)
    if not re.fullmatch("[A-Za-z0-9_-]{1,100}", value):
        raise ValueRefused(f"{shown(value)} is not a name of letters, digits, - and _")
    return value


def reference(text: str) -> str:
    """A name, or `namespace/name`."""
    value = trimmed(text)
    if not re.fullmatch(r"([a-z0-9-]{1,63}/)?[a-z0-9.-]{1,253}", value):
        raise ValueRefused(f"{shown(value)} is not a name, or namespace/name")
    return value


def kept_durations(text: str) -> KeptDurations:
    """Statuses and times, groups between commas: `200 202 401 5m, 403 10s`."""
    durations: dict[int, int] = {}
    for group in comma_list(text):
        *statuses, time = group.split()
        found = re.fullmatch("([0-9]{1,9})([smhdwMy]?)", time)
        if found is None or not all(re.fullmatch("[1-5][0-9]{2}|any", one) for one in statuses):
            raise ValueRefused(f"{shown(group)} is not statuses and a time, such as 200 202 401 5m")
        seconds = min(int(found[1]) * _UNITS[found[2]], _LONGEST_KEPT)
        numbers = [0 if one == "any" else int(one) for one in statuses] or list(_WITHOUT_STATUS)
        durations |= dict.fromkeys(numbers, seconds)
    return KeptDurations(tuple(sorted(durations.items())))


def _silence(text: str) -> int:
    seconds = duration(text)
    if not 0 < seconds <= 600:
        raise ValueRefused(f"{seconds} s is not between 1 s and 10 minutes")
    return seconds


_KEPT_ANYHOW = "Connections to auth services are kept and shared as those to pods are, without being asked to."


@dataclass(frozen=True, slots=True)
class AuthExternal:
    """Which service is asked about every request, and what is done with its answer."""

    url: AuthUrl = annotation(  # noqa: RUF009 - frozen
        "auth-url",
        auth_url,
        default=NO_URL,
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="A variable that is not known closes the routes; in the host only `$host` and names of objects are.",
        doc="The URL that is asked whether a request may pass; 2xx says yes, 401 and 403 are passed on, all else is a 500.",
        accepts=(
            "http://auth.tools.svc.cluster.local:4180/oauth2/auth",
            "https://$host/oauth2/auth",
            "http://a.example?x=$host",
        ),
        refuses=("auth.example.com", "ftp://a.example/", "http://$http_x/", "http://a.example/$nothing", "http://a.example/#x"),
        haproxy=("http-request lua", "http-request deny"),
    )
    method: str = annotation(
        "auth-method",
        choice(*METHODS),
        default="GET",
        guards=True,
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="CONNECT is refused.",
        doc="The method with which the service is asked.",
        accepts=("GET", "POST"),
        refuses=("get", "CONNECT", "X"),
    )
    response_headers: tuple[str, ...] = annotation(
        "auth-response-headers",
        passed_headers,
        default=(),
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="Headers that say how a message is read, such as Content-Length, are refused.",
        doc="Headers of the service's answer that the pod gets, in place of the client's.",
        accepts=("X-Auth-Request-User, X-Auth-Request-Email", "Authorization", "X_User"),
        refuses=("X User", "Content-Length", "a:b", "Transfer_Encoding"),
    )
    proxy_set_headers: str = annotation(
        "auth-proxy-set-headers",
        reference,
        default="",
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        doc="The ConfigMap with headers for the question; their values may hold variables.",
        accepts=("auth-headers", "tools/auth-headers"),
        refuses=("../x", "a/b/c", "A"),
    )
    always_set_cookie: bool = annotation(
        "auth-always-set-cookie",
        boolean,
        default=False,
        guards=True,
        doc="`true` passes cookies of the service's answer on whatever the final status.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    signin: tuple[str, ...] = annotation(
        "auth-signin",
        sign_in_url,
        default=(),
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.HIGH,
        doc="Where a client that gets a 401 is sent instead; the way back is appended unless the URL has it.",
        accepts=(
            "https://auth.example.com/oauth2/start?rd=$scheme://$host$escaped_request_uri",
            "https://$host/login",
            "/login",
        ),
        refuses=("javascript:alert(1)", "//evil.example", "https://a.example/$nothing", "login"),
        haproxy=("http-request redirect",),
    )
    signin_redirect_param: str = annotation(
        "auth-signin-redirect-param",
        parameter,
        default="rd",
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        doc="The query parameter that tells the way back.",
        accepts=("rd", "return_to"),
        refuses=("a=b", "a&b"),
    )
    request_redirect: tuple[str, ...] = annotation(
        "auth-request-redirect",
        url_template,
        default=(),
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        doc="What the service is told in X-Auth-Request-Redirect, the request's own path and query otherwise.",
        accepts=("https://$host$request_uri",),
        refuses=("$nothing", "a\nb"),
    )
    cache_key: tuple[str, ...] = annotation(
        "auth-cache-key",
        key_template,
        default=(),
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="A request for which all variables of the key are empty is asked about each time; an answer with `Vary` is not "
        "kept, but for Accept-Encoding.",
        doc="Answers of the service count for all requests with this key, on the same host and path.",
        accepts=("$remote_user$http_authorization", "$cookie_session", "${cookie_a}-x"),
        refuses=("$nothing", "a/b", "$"),
    )
    cache_duration: KeptDurations = annotation(  # noqa: RUF009 - frozen
        "auth-cache-duration",
        kept_durations,
        default=USUAL_DURATIONS,
        guards=True,
        on_invalid=OnInvalid.DENY,
        risk=Risk.MEDIUM,
        doc="How long answers are kept: statuses and a time, groups between commas.",
        accepts=("200 202 401 5m", "200 1h, any 10s", "30s"),
        refuses=("5 minutes", "x 5m", "200 5m;"),
    )
    timeout: int = annotation(
        "auth-timeout",
        _silence,
        default=60,
        guards=True,
        on_invalid=OnInvalid.DENY,
        own=True,
        doc="How long the auth service is waited for; 500 after that.",
        accepts=("5s", "600"),
        refuses=("0", "11m", "soon"),
    )
    keepalive: int = annotation(
        "auth-keepalive",
        up_to(1 << 31),
        default=0,
        guards=True,
        support=Support.WITHOUT_EFFECT,
        differs=_KEPT_ANYHOW,
        doc="How many connections to the service stay open.",
        accepts=("10",),
        refuses=("-1", "x"),
    )
    keepalive_requests: int = annotation(
        "auth-keepalive-requests",
        up_to(1 << 31),
        default=1000,
        guards=True,
        support=Support.WITHOUT_EFFECT,
        differs=_KEPT_ANYHOW,
        doc="How many questions one connection takes.",
        accepts=("100",),
        refuses=("-1",),
    )
    keepalive_timeout: int = annotation(
        "auth-keepalive-timeout",
        up_to(1 << 31),
        default=60,
        guards=True,
        support=Support.WITHOUT_EFFECT,
        differs=_KEPT_ANYHOW,
        doc="Seconds for which an idle connection stays open.",
        accepts=("60",),
        refuses=("-1",),
    )
    keepalive_share_vars: bool = annotation(
        "auth-keepalive-share-vars",
        boolean,
        default=False,
        guards=True,
        support=Support.WITHOUT_EFFECT,
        differs="There are no variables of nginx that a question could change.",
        doc="Shares nginx's variables with the question.",
        accepts=("false", "true"),
        refuses=("x",),
    )
    snippet: str = annotation(
        "auth-snippet",
        str.strip,
        default="",
        guards=True,
        risk=Risk.CRITICAL,
        support=Support.PARTIAL,
        differs="`proxy_set_header` sets headers of the question; what may keep somebody out closes the Ingress.",
        doc="nginx configuration for the question.",
        accepts=("proxy_set_header X-Forwarded-Host $http_host;",),
    )
    global_auth: bool = annotation(
        "enable-global-auth",
        boolean,
        default=True,
        doc="`false` leaves the Ingress out of the authentication that the ConfigMap asks for.",
        accepts=("true", "false"),
        refuses=("no", ""),
    )
