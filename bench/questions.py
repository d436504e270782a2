"""What is asked: for each policy the annotations of an Ingress, and beside them what ingress-nginx makes of these for nginx."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.measuring import Request

PASSWORDS = {
    "apr1": "anna:$apr1$MHJFXZ22$h/9Usu55EI2MeDOZGG0Uh/",
    "bcrypt": "anna:$2y$05$JVTOSa8.5Ejhpiy9RbZFBe08cSKufDsgnjfY51t7soO0//Hm05S/m",
}
"""What `htpasswd -nbm` and `htpasswd -nbB` make of the password."""


@dataclass(frozen=True)
class Nginx:
    """Directives in the location, in its server and outside it."""

    location: str = ""
    server: str = ""
    http: str = ""
    match: str = "/"
    upstream: str = "pods"


@dataclass(frozen=True)
class Check:
    """A request and what must be true of its answer: its status, texts that its head or body has, and such that it has not."""

    request: Request
    status: int = 200
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """`request` is what the load asks. `share` is how many of the usual number of requests are enough for a figure."""

    name: str
    what: str
    nginx: Nginx = Nginx()
    annotations: Mapping[str, str] = field(default_factory=dict)
    request: Request = Request()  # noqa: RUF009 - frozen
    status: int = 200
    checks: tuple[Check, ...] = ()
    path: str = "/"
    share: float = 1.0
    follows_cookie: bool = False
    repeats: bool | None = None
    """Whether the auth service's last answer is used again; None if nobody asks it."""

    @property
    def host(self) -> str:
        return f"{self.name}.example"


def _basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()}


def _login(kind: str, share: float) -> Question:
    right = _basic("secret word")
    return Question(
        f"htpasswd-{kind}",
        f"htpasswd, {kind}, the same client again",
        Nginx(f'auth_basic "The shop";\nauth_basic_user_file DIRECTORY/{kind}.passwd;\nproxy_set_header Authorization "";'),
        {"auth-type": "basic", "auth-secret": kind, "auth-realm": "The shop"},
        Request(headers=right),
        checks=(
            Check(Request("/seen"), 401, ('Basic realm="The shop"',)),
            Check(Request("/seen", headers=_basic("another")), 401),
            Check(Request("/seen", headers=right), 200, ("x-real-ip",), ("authorization",)),
        ),
        share=share,
    )


_ASKED = """\
location = /_external-auth {
  internal;
  CACHE
  proxy_pass_request_body off;
  proxy_set_header Content-Length "";
  proxy_set_header X-Forwarded-Proto "";
  proxy_set_header X-Request-ID $req_id;
  proxy_set_header Host auth.shop.svc.cluster.local;
  proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
  proxy_set_header X-Original-Method $request_method;
  proxy_set_header X-Sent-From "nginx-ingress-controller";
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Auth-Request-Redirect $request_uri;
  proxy_method GET;
  proxy_buffer_size 4k;
  proxy_buffers 4 4k;
  proxy_request_buffering on;
  proxy_ssl_server_name on;
  proxy_pass_request_headers on;
  client_max_body_size 1m;
  CONNECTION
  proxy_pass http://auth/check;
}"""
_CACHE = """\
proxy_buffering on;
  proxy_cache auth_cache;
  proxy_cache_key "$host$http_authorization";
  proxy_cache_valid 200 202 401 5m;"""
_ASKS = """\
auth_request /_external-auth;
auth_request_set $auth_cookie $upstream_http_set_cookie;
add_header Set-Cookie $auth_cookie;
auth_request_set $authHeader0 $upstream_http_x_user;
proxy_set_header X-User $authHeader0;"""
_KEPT = 'proxy_http_version 1.1;\n  proxy_set_header Connection "";'


def _external(name: str, what: str, *, cache: str, connection: str, annotations: Mapping[str, str]) -> Question:
    token = {"Authorization": "Bearer token"}
    return Question(
        name,
        what,
        Nginx(_ASKS, server=_ASKED.replace("CACHE", cache).replace("CONNECTION", connection)),
        {"auth-url": "http://auth.shop.svc.cluster.local/check", "auth-response-headers": "X-User", **annotations},
        Request(headers=token),
        checks=(
            Check(Request("/seen", headers={**token, "X-User": "feigned"}), 200, ("x-user: ", "authorization"), ("feigned",)),
            Check(Request("/seen", headers={"Authorization": "Bearer stranger"}), 401),
        ),
        repeats=cache == _CACHE,
    )


_LIMIT_KEY = """\
geo $remote_addr $allowlist_NAME {
  default 0;
}
map $allowlist_NAME $limit_NAME {
  0 $binary_remote_addr;
  1 "";
}
limit_req_zone $limit_NAME zone=NAME:5m rate=RATE;"""


def _rate(name: str, what: str, rate: str, burst: int, annotations: Mapping[str, str], status: int) -> Question:
    http = _LIMIT_KEY.replace("NAME", name).replace("RATE", rate)
    location = f"limit_req zone={name} burst={burst} nodelay;"
    return Question(name, what, Nginx(location, http=http), annotations, status=status)


def _snippet(name: str, what: str, snippet: str, location: str, check: Check) -> Question:
    return Question(name, what, Nginx(location), {"configuration-snippet": snippet}, checks=(check,))


_SECURITY = "add_header X-Frame-Options DENY always;\nadd_header X-Content-Type-Options nosniff always;\n"
"""What `more_set_headers` comes to as well, for an nginx without that module, since the pods send neither header."""
_TOLD = "proxy_set_header X-Forwarded-Ssl on;\nproxy_set_header X-Original-Uri $request_uri;\n"
_PAGE = {"Origin": "https://page.example"}
_CORS_LINES = """\
add_header Access-Control-Allow-Origin $http_origin always;
  add_header Access-Control-Allow-Credentials true always;
  add_header Access-Control-Allow-Methods "GET, PUT, POST" always;
  add_header Access-Control-Allow-Headers "X-One,X-Two" always;
  add_header Access-Control-Max-Age 600 always;
  add_header X-Custom yes always;"""
_CORS = f"""\
if ($http_origin ~* ((https://page\\.example))$ ) {{
  set $cors "true";
}}
if ($request_method = "OPTIONS") {{
  set $cors "${{cors}}options";
}}
if ($cors = "true") {{
  {_CORS_LINES}
}}
if ($cors = "trueoptions") {{
  {_CORS_LINES}
  add_header Content-Type "text/plain charset=UTF-8";
  add_header Content-Length 0;
  return 204;
}}
rewrite "(?i)/app(/|$)(.*)" /$2 break;
add_header X-Custom yes always;"""
_FORM = Request("/a/form", "POST", {"Content-Type": "application/x-www-form-urlencoded"}, b"x" * 4096)
_ALLOWED_ORIGIN = "access-control-allow-origin: https://page.example"

QUESTIONS = (
    Question("plain", "plain"),
    Question(
        "sticky",
        "sticky session",
        Nginx(upstream="sticky"),
        {"affinity": "cookie", "session-cookie-name": "route", "affinity-mode": "persistent"},
        follows_cookie=True,
    ),
    _login("apr1", 0.5),
    _login("bcrypt", 0.1),
    _external(
        "external-kept",
        "external auth, nginx with kept connections",
        cache="proxy_buffering off;",
        connection=_KEPT,
        annotations={},
    ),
    _external(
        "external-new",
        "external auth, as ingress-nginx has it",
        cache="proxy_buffering off;",
        connection="",
        annotations={},
    ),
    _external(
        "external-cached",
        "external auth with auth-cache-key",
        cache=_CACHE,
        connection=_KEPT,
        annotations={"auth-cache-key": "$host$http_authorization", "auth-cache-duration": "200 202 401 5m"},
    ),
    _rate("rate", "limit-rps, let in", "50000r/s", 250000, {"limit-rps": "50000"}, 200),
    _rate("refused", "limit-rpm, refused", "1r/m", 1, {"limit-rpm": "1", "limit-burst-multiplier": "1"}, 503),
    Question(
        "body",
        "POST of 4 KiB, proxy-body-size 8k",
        Nginx("client_max_body_size 8k;"),
        {"proxy-body-size": "8k"},
        _FORM,
        checks=(Check(Request("/seen", "POST", body=b"x" * 8193), 413), Check(Request("/seen", "POST", body=b"x" * 8192), 200)),
    ),
    Question(
        "allowed",
        "whitelist-source-range, let in",
        Nginx("allow 10.0.0.0/8;\nallow 127.0.0.0/8;\ndeny all;"),
        {"whitelist-source-range": "10.0.0.0/8,127.0.0.0/8"},
    ),
    Question(
        "denied",
        "whitelist-source-range, refused",
        Nginx("allow 10.0.0.0/8;\nallow 192.168.0.0/16;\ndeny all;"),
        {"whitelist-source-range": "10.0.0.0/8,192.168.0.0/16"},
        status=403,
    ),
    _snippet(
        "snippet-set",
        "snippet: more_set_headers twice",
        'more_set_headers "X-Frame-Options: DENY";\nmore_set_headers "X-Content-Type-Options: nosniff";\n',
        _SECURITY,
        Check(Request(), has=("x-frame-options: deny", "x-content-type-options: nosniff")),
    ),
    _snippet(
        "snippet-add",
        "snippet: add_header twice",
        _SECURITY,
        _SECURITY,
        Check(Request(), has=("x-frame-options: deny", "x-content-type-options: nosniff")),
    ),
    _snippet(
        "snippet-pod",
        "snippet: proxy_set_header twice",
        _TOLD,
        _TOLD,
        Check(Request("/a/seen?b=c"), has=("x-forwarded-ssl: on", "x-original-uri: /a/seen?b=c")),
    ),
    Question(
        "cors",
        "CORS, rewrite-target and custom-headers",
        Nginx(_CORS, match='~* "^/app(/|$)(.*)"'),
        {
            "enable-cors": "true",
            "cors-allow-origin": "https://page.example",
            "cors-allow-methods": "GET, PUT, POST",
            "cors-allow-headers": "X-One,X-Two",
            "cors-max-age": "600",
            "use-regex": "true",
            "rewrite-target": "/$2",
            "custom-headers": "shop/headers",
        },
        Request("/app/a/page", headers=_PAGE),
        checks=(
            Check(Request("/app/a/seen", headers=_PAGE), 200, ("\n/a/seen\n", "x-custom: yes", _ALLOWED_ORIGIN)),
            Check(Request("/app/a/seen"), 200, ("\n/a/seen\n", "x-custom: yes"), ("access-control-allow-origin",)),
            Check(Request("/app/a", "OPTIONS", _PAGE), 204, (_ALLOWED_ORIGIN, "access-control-max-age: 600")),
        ),
        path="/app(/|$)(.*)",
    ),
)
