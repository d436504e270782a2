"""The page about snippets: what becomes of the directives that people write. Each row's example is read as it would be."""

from collections.abc import Iterator

import msgspec

from remora.core.names import NamespacedName
from remora.snippets.read import Context, Finding, Kind, read_snippet
from remora.snippets.written import COMMON_NAMES
from remora.translate.snippets import constant_variables


class Seen(msgspec.Struct, frozen=True):
    """A directive as it is seen in public manifests: in how many files, and an example of its usual form."""

    files: int
    directive: str
    example: str
    context: Context = Context.LOCATION


SEEN = (
    Seen(69, "proxy_set_header", "proxy_set_header X-Forwarded-Host $http_host;"),
    Seen(39, "return", "return 301 https://$host$request_uri;"),
    Seen(39, "more_set_headers", 'more_set_headers "X-Frame-Options: DENY";'),
    Seen(37, "location", "location ~* /metrics { deny all; }", Context.SERVER),
    Seen(35, "if", "if ($request_method = POST) { return 403; }"),
    Seen(28, "add_header", "add_header X-Robots-Tag noindex always;"),
    Seen(25, "rewrite", "rewrite ^(/app)$ $1/ redirect;"),
    Seen(18, "sub_filter", "sub_filter '</head>' '<script></script></head>';"),
    Seen(15, "auth_request_set", "auth_request_set $user $upstream_http_x_auth_request_user;"),
    Seen(13, "set", "set $flag 1;"),
    Seen(9, "sub_filter_once", "sub_filter_once on;"),
    Seen(8, "proxy_hide_header", "proxy_hide_header X-Powered-By;"),
    Seen(8, "expires", "expires 1y;"),
    Seen(8, "proxy_pass", "location /x { proxy_pass http://other; }", Context.SERVER),
    Seen(6, "deny", "deny all;"),
    Seen(6, "proxy_ssl_verify", "proxy_ssl_verify off;"),
    Seen(6, "error_page", "error_page 404 =200 /index.html;"),
    Seen(5, "server_tokens", "server_tokens off;"),
    Seen(4, "access_log", "access_log off;"),
    Seen(4, "etag", "etag on;"),
    Seen(4, "proxy_pass_header", "proxy_pass_header ETag;"),
    Seen(3, "client_max_body_size", "client_max_body_size 10m;"),
    Seen(3, "proxy_cache", "proxy_cache off;"),
    Seen(3, "chunked_transfer_encoding", "chunked_transfer_encoding off;"),
    Seen(3, "proxy_http_version", "proxy_http_version 1.1;"),
    Seen(3, "grpc_set_header", "grpc_set_header l5d-dst-override $service_name.$namespace.svc:$service_port;"),
    Seen(3, "auth_request", "auth_request /check;"),
    Seen(3, "proxy_ssl_name", "proxy_ssl_name inner.example;"),
    Seen(2, "allow", "allow 10.0.0.0/8;"),
    Seen(2, "log_not_found", "log_not_found off;"),
    Seen(2, "proxy_buffering", "proxy_buffering off;"),
    Seen(2, "proxy_request_buffering", "proxy_request_buffering off;"),
    Seen(2, "more_clear_headers", "more_clear_headers Server;"),
    Seen(2, "internal", "location /x { internal; }", Context.SERVER),
    Seen(2, "access_by_lua_block", "access_by_lua_block { ngx.exit(403) }"),
    *(
        Seen(1, text.split()[0].rstrip(";"), text)
        for text in (
            "underscores_in_headers on;",
            "gzip on;",
            "gzip_types text/css;",
            "client_header_buffer_size 64k;",
            "large_client_header_buffers 4 64k;",
            "proxy_next_upstream error timeout;",
            "proxy_next_upstream_tries 3;",
            "proxy_connect_timeout 5s;",
            "proxy_send_timeout 60s;",
            "proxy_read_timeout 1h;",
            "proxy_cache_key $uri;",
            "proxy_cache_valid 200 1m;",
            "proxy_ssl_server_name on;",
            "proxy_ssl_certificate /etc/x.crt;",
            "proxy_ssl_certificate_key /etc/x.key;",
            "proxy_ssl_protocols TLSv1.2;",
            "proxy_ssl_session_reuse on;",
            "proxy_cookie_flags ~ secure;",
            "sub_filter_types text/css;",
            "root /var/www;",
        )
    ),
)
"""Files per directive among 216 public ones that hold a snippet."""

_COVERED = (Kind.STEP, Kind.SETTING, Kind.NEEDLESS)

_HEADER = """\
# Snippets

`configuration-snippet`, `server-snippet`, `auth-snippet` and the ConfigMap's `http-snippet`, `server-snippet` and
`location-snippet` are read as nginx configuration. What is understood becomes typed steps; no text of a snippet reaches
HAProxy's configuration ([decision 3](decisions/0003-snippets-are-read-not-pasted.md)). `remora check` says what becomes of each
directive.
(The table is made from `src/remora/report/snippet_page.py`; `make docs` makes it anew.)

- A directive that may keep somebody out, or that nobody here knows, and that cannot be honoured **closes** what it stands in: a
  `location` its paths, anything else the Ingress. A Problem names line and directive. One of the ConfigMap closes everything.
- One that keeps nobody out and has an effect that is not to be had is **skipped**, with a Problem.
- `--snippet-policy` says what becomes of the snippets of Ingresses: `translate` (the default), `ignore` (those that may keep
  somebody out close their Ingress), `refuse` (all do). The ConfigMap's `allow-snippet-annotations: "false"` is `ignore`, and
  an `annotations-risk-level` below `Critical` refuses; both are off unless they are written.
- Regular expressions are matched by Remora's own matcher, within a bound of steps. A request on which one does not come to an
  end is answered with 400. Possessive groups, look-behind, back-references and named groups are not known.
"""

_DIFFERENCES = """\
## What differs from nginx

- Headers of answers that HAProxy itself makes (a 403 of an address list, a 503, the redirect to https): only constant ones that
  `more_set_headers` sets, of these names: {names}. All are on answers of pods and on those that the snippet makes.
- `add_header` and `proxy_set_header` are added to those of the level above; in nginx they replace them all.
- `proxy_set_header` in an `if` and in a `server-snippet` counts (nginx refuses it, or overrides it in every location).
- `rewrite … last` does not look for another Ingress: the request goes to the Service of its route, with the new path.
- A `location` counts where some path of an Ingress on the host takes the request, and its requests then go to the Service of
  that path (in nginx to files that are not there). Guards of that Ingress stay.
- A `server-snippet` counts for the Ingresses of its own namespace on the host.
- `$http_x_forwarded_proto` and its like are what pods are told: without `use-forwarded-headers` that is the connection's own.
- `proxy_set_header Connection` and `Upgrade` are left to HAProxy, which passes WebSockets on by itself.
- `$scheme` in a redirect to the own host, and its port, are the connection's; a redirect names no port.
- A name of a query argument or cookie is found whatever its case; its value stays as it was sent.
- Refusals of a snippet (`return 403`, `deny`) come before limits and lists, and have no custom error page.
"""


def render_snippet_page() -> str:
    """The page, in Markdown."""
    rows = [(seen, _verdict(seen)) for seen in SEEN]
    total = sum(seen.files for seen, _ in rows)
    covered = sum(seen.files for seen, found in rows if found.kind in _COVERED)
    count = sum(1 for _, found in rows if found.kind in _COVERED)
    summary = (
        f"Of {len(rows)} directives seen in 216 public files with snippets {count} are covered in their usual form; "
        f"weighted by files, {covered} of {total} ({100 * covered // total} %).\n"
    )
    names = ", ".join(f"`{name}`" for name in COMMON_NAMES)
    table = "\n".join(_table(rows))
    return "\n".join((_HEADER, "## Directives\n", summary, table + "\n", _DIFFERENCES.format(names=names)))


def _table(rows: list[tuple[Seen, Finding]]) -> Iterator[str]:
    yield "| directive | files | example | what becomes of it |"
    yield "| --- | ---: | --- | --- |"
    for seen, found in rows:
        why = f": {found.reason}" if found.reason else ""
        yield f"| `{seen.directive}` | {seen.files} | `{seen.example.replace('|', chr(92) + '|')}` | {found.kind.value}{why} |"


def _verdict(seen: Seen) -> Finding:
    findings = read_snippet(seen.example, seen.context, constant_variables(NamespacedName("shop", "web"))).findings
    return next(found for found in findings if found.directive == seen.directive)
