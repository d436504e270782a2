"""HAProxy's program: everything in its configuration that does not depend on the cluster.

What happens to a request stands in `frontends` until it has a backend, and in `classes` from then on. Nothing that comes from
an Ingress is in here.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from remora.core.settings import ProxySettings
from remora.haproxy import process_rules
from remora.haproxy.classes import class_section, policy_rules, shaping_rules
from remora.haproxy.features import (
    answers,
    body_meter,
    body_size,
    broken_sessions,
    client_tls,
    counting,
    error_pages,
    external_auth,
    learning,
    limits,
    passwords,
    redirect,
    request_log,
    retries,
    session_lifetime,
    session_tracking,
    streams,
)
from remora.haproxy.fixed_backends import NOT_FOUND_BACKEND, bookkeeping_section, fixed_backends
from remora.haproxy.frontends import frontend_sections
from remora.haproxy.grammar import Directive, Section, render_sections, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.lua import Script, script_text
from remora.haproxy.maps import Map
from remora.haproxy.pool import CLASSES

_MOST_HEADERS = 160
"""Headers of a message (`tune.http.maxhdr`): the hundred that a client may send, and what is added to them for a pod."""


def render_program(settings: ProxySettings, header_names: tuple[str, ...] = ()) -> str:
    """The program as a file's text. `header_names` are those that routes may set on answers.

    It names its own digest in the variable `proc.program`, so that a controller that finds HAProxy running can tell whether it
    runs this very program.
    """
    return _rendered(settings, header_names)[0]


def program_digest(settings: ProxySettings, header_names: tuple[str, ...] = ()) -> str:
    """The digest that `render_program` writes: 16 hex digits."""
    return _rendered(settings, header_names)[1]


@lru_cache(maxsize=4)
def _rendered(settings: ProxySettings, header_names: tuple[str, ...]) -> tuple[str, str]:
    body = render_sections(_sections(settings, header_names))
    process = render_sections([_global_section(settings, digest="")])
    files = "".join(file.content for file in process_rules.process_files(settings))
    digest = _digest(process + body + "".join(map(script_text, Script)) + files)
    return f"{render_sections([_global_section(settings, digest=digest)])}\n{body}", digest


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sections(settings: ProxySettings, header_names: tuple[str, ...]) -> Iterator[Section]:
    layout = Layout(settings.state_directory)
    policies, shaping = (tuple(rules(layout, header_names)) for rules in (policy_rules, shaping_rules))
    yield _defaults_section(settings)
    yield section("backend", counting.TABLE, "from", "base", lines=[_counting_table()])
    yield section("backend", session_tracking.TABLE, "from", "base", lines=[session_tracking.table_rule(settings)])
    yield section("backend", client_tls.TABLE, "from", "base", lines=[client_tls.table_rule()])
    yield section("backend", learning.TABLE, "from", "base", lines=[learning.table_rule(settings)])
    for name, table in limits.table_rules():
        yield section("backend", name, "from", "base", lines=[table])
    yield section("backend", passwords.TABLE, "from", "base", lines=[passwords.table_rule()])
    if request_log.is_wanted(settings):
        yield request_log.ring_section(layout.requests_socket)
    yield from frontend_sections(settings, layout)
    for kind in CLASSES:
        yield class_section(kind, settings, policies, shaping)
    yield from streams.passthrough_sections(settings, layout)
    yield from fixed_backends()
    yield body_size.section_of("base", layout.map(Map.ERROR_PAGES))
    for scheme in ("http", "https"):
        yield body_meter.backend_section(layout, scheme=scheme)
    yield bookkeeping_section(layout)
    yield from error_pages.sections(
        defaults="base",
        socket=layout.error_pages_socket,
        routes_map=layout.map(Map.ERROR_ROUTES),
        nowhere=NOT_FOUND_BACKEND,
        answers=tuple(answers.response_rules(settings.options, scheme="http")),
    )
    yield from external_auth.sections(
        defaults="base",
        socket=layout.external_auth_socket,
        routes_map=layout.map(Map.AUTH_ROUTES),
        nowhere=NOT_FOUND_BACKEND,
    )
    yield from redirect.sections(
        defaults="base",
        redirects_map=layout.map(Map.REDIRECTS),
        rewrites_map=layout.map(Map.REWRITES),
        ports=(settings.http_port, settings.https_port),
        policies=policies,
        options=settings.options,
    )


def _global_section(settings: ProxySettings, *, digest: str) -> Section:
    layout = Layout(settings.state_directory)
    lines = [
        rule("stats socket", f"unix@{layout.runtime_socket}", "mode", "600", "level", "admin", "expose-fd", "listeners"),
        rule("stats timeout 10m"),
        rule(f"tune.stick-counters {passwords.COUNTER + 1}"),
        rule(f"tune.http.maxhdr {_MOST_HEADERS}"),
        rule("set-var proc.program", f"str({digest})"),
        *session_lifetime.global_rules(settings),
        *passwords.global_rules(settings),
        rule("lua-load", layout.script(Script.FORMER_SESSIONS)),
        rule("lua-load", layout.script(Script.ERROR_PAGES), layout.error_pages_socket),
        rule("lua-load", layout.script(Script.EXTERNAL_AUTH), layout.external_auth_socket),
        rule("httpclient.retries 0"),  # each would be given the whole time that an error page may take
        rule("httpclient.ssl.verify none"),  # of mirrors alone, as in ingress-nginx
        rule("lua-load", layout.script(Script.SESSION_PLACEMENT), layout.map(Map.SERVERS)),
        rule("lua-load", layout.script(Script.SUBSET)),
        rule("lua-load-per-thread", layout.script(Script.TOO_LARGE)),
        rule("lua-load-per-thread", layout.script(Script.BODY_METER)),
        rule("lua-load-per-thread", layout.script(Script.SNIPPETS)),
        rule("lua-load-per-thread", layout.script(Script.CLIENT_CHAIN)),
        rule("lua-load", layout.script(Script.MIRROR)),
        rule("lua-load-per-thread", layout.script(Script.POD_ANSWERS)),
        rule(
            "lua-load-per-thread", layout.script(Script.REWRITE)
        ),  # it keeps nothing that threads share, so none waits for another
        rule("expose-experimental-directives"),  # normalize-uri, which decides what a path is compared as
        *process_rules.global_rules(settings),
    ]
    return section("global", lines=lines)


def _defaults_section(settings: ProxySettings) -> Section:
    return section(
        "defaults",
        "base",
        lines=[
            rule("mode http"),
            *process_rules.timeout_rules(settings),
            # Without it a reload closes idle connections on which a request is under way (64 of 617,690 failed).
            rule("option idle-close-on-response"),
            *retries.default_rules(settings),
        ],
    )


def _counting_table() -> Directive:
    store = f"store gpc({counting.COUNTERS + broken_sessions.COUNTERS})"
    return rule(f"stick-table type string len 20 size 200k {store}")
