"""Snippets on the real HAProxy: read as people write them, answered as nginx would."""

import asyncio
import json
import re

import aiohttp
import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import ConstantPath, ForwardTo, PrefixPath, RouteAction, UpstreamHost
from remora.snippets.read import Context, read_snippet
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods

CONSTANTS = (("namespace", "shop"), ("service_name", "web"), ("service_port", "80"))


pytestmark = pytest.mark.one_haproxy


class Site:
    """One host whose route has a snippet."""

    def __init__(self, executor: Executor, settings: ProxySettings, client: Client, port: int) -> None:
        self._executor, self._client, self._port = executor, client, port
        self._configurator = Configurator(settings)

    async def use(
        self,
        text: str,
        *,
        action: RouteAction = ForwardTo(NAME),  # noqa: B008 - frozen
        options: ProxyOptions = ProxyOptions(),  # noqa: B008 - frozen
    ) -> None:
        reading = read_snippet(text, Context.LOCATION, CONSTANTS)
        assert not reading.is_refused, reading.findings
        routes = [route(PrefixPath(""), action, snippet=reading.steps)]
        wanted = model([host(*routes)], [backend(endpoint("a", self._port))])
        wanted = msgspec.structs.replace(wanted, options=options)
        await self._executor.apply(self._configurator.configure(wanted))

    async def get(
        self, path: str = "/", *, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], dict[str, str], str]:
        """Status, headers, the headers that the pod was sent, and what the pod was asked for or else the body."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answered, body = await self._client.get("web.example", path, method=method, headers=sent)
        if not body.startswith('{"pod"'):
            return status, answered, {}, body
        told = json.loads(body)
        return status, answered, told["headers"], told["target"]


@pytest.fixture
async def site(executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client) -> Site:
    return Site(executor, proxy_settings, client, await pods.start("a"))


async def test_request_headers_are_set_and_removed(site: Site) -> None:
    await site.use(
        """proxy_set_header X-Fixed "a; b # c";
        proxy_set_header l5d-dst-override $service_name.$namespace.svc.cluster.local:$service_port;
        proxy_set_header X-Told "$host ${request_method} $scheme $request_uri $remote_addr [$http_x_some] $arg_a $cookie_c";
        proxy_set_header Accept-Encoding "";
        proxy_set_header Host inner.example;
        more_set_input_headers "X-More: $uri";
        more_clear_input_headers "X-Secret-*";"""
    )
    _, _, told, _ = await site.get("/p%61th?b=2&a=1", X_Some="one", X_Secret_A="1", X_Secret_B="2", Cookie="b=2; c=3")
    assert told["x-fixed"] == "a; b # c"
    assert told["l5d-dst-override"] == "web.shop.svc.cluster.local:80"
    assert told["x-told"] == "web.example GET http /p%61th?b=2&a=1 127.0.0.1 [one] 1 3"
    assert told["host"] == "inner.example"
    assert not {"accept-encoding", "x-secret-a", "x-secret-b"} & told.keys()


async def test_input_headers_are_set_for_all_or_only_where_they_were_sent(site: Site) -> None:
    await site.use('more_set_input_headers "X-More: $uri";\nmore_set_input_headers -r "X-Other: 1";')
    _, _, told, _ = await site.get("/a%20b")
    assert (told["x-more"], "x-other" in told) == ("/a b", False)
    _, _, told, _ = await site.get("/", X_Other="0")
    assert told["x-other"] == "1"


async def test_answer_headers_follow_status_and_type(site: Site) -> None:
    await site.use(
        """more_set_headers "X-Frame-Options: DENY" 'X-Request: $request_id';
        more_set_headers -s 404 -t 'application/*' "X-Lost: yes";
        add_header X-Good 1; add_header X-Always 2 always;
        more_clear_headers "X-Pod*"; proxy_hide_header X-Powered-By;
        expires 1h;"""
    )
    asked = {"x_answer_x_powered_by": "pod", "x_answer_x_pod_name": "a", "X_Request_Id": "7"}
    status, headers, _, _ = await site.get("/", **asked)
    assert (status, headers["x-frame-options"], headers["x-request"]) == (200, "DENY", "7")
    assert (headers["x-good"], headers["x-always"], headers["cache-control"]) == ("1", "2", "max-age=3600")
    assert not {"x-lost", "x-powered-by", "x-pod-name"} & headers.keys()
    status, headers, _, _ = await site.get("/", x_status="404", **asked)
    assert (headers["x-lost"], headers["x-always"], headers["x-frame-options"]) == ("yes", "2", "DENY")
    assert not {"x-good", "cache-control"} & headers.keys()


async def test_well_known_headers_are_on_answers_that_haproxy_makes(site: Site) -> None:
    await site.use('more_set_headers "X-Frame-Options: DENY";\nif ($arg_x) { return 403; }')
    status, headers, _, _ = await site.get("/?x=1")
    assert (status, headers["x-frame-options"]) == (403, "DENY")


@pytest.mark.parametrize(
    ("text", "path", "status", "location"),
    [
        ("if ($host ~* ^(.*)\\.example$) { return 301 https://$1.new$request_uri; }", "/a?b=1", 301, "https://web.new/a?b=1"),
        ("rewrite ^(/app)$ $1/ redirect;", "/app?x=1", 302, "http://web.example/app/?x=1"),
        ("rewrite ^(/app)$ $1/ redirect;", "/app/", 200, ""),
        ("rewrite ^/old/(.*)$ https://new.example/$1? permanent;", "/old/a%20b?x=1", 301, "https://new.example/a%20b"),
        ("return https://b.example$uri;", "/a%20b", 302, "https://b.example/a%20b"),
        ("location = /here { return 308 /there; }", "/here", 308, "http://web.example/there"),
        ("location = /here { return 308 /there; }", "/here/x", 200, ""),
    ],
)
async def test_clients_are_sent_elsewhere(site: Site, text: str, path: str, status: int, location: str) -> None:
    await site.use(text)
    got, headers, _, _ = await site.get(path)
    assert (got, headers.get("location", "")) == (status, location)


async def test_paths_are_changed(site: Site) -> None:
    await site.use("rewrite ^/v1/(\\d+)/([^/]+)$ /v2/$2?id=$1 break;\nrewrite ^/v2 /never last;\nrewrite ^/a /b?;")
    for asked, told in {
        "/v1/7/x%20y?z=1": "/v2/x%20y?id=7&z=1", "/v2/x": "/never", "/a?b=1": "/b", "/c%2Fd": "/c%2Fd",
    }.items():  # fmt: skip
        _, _, _, target = await site.get(asked)
        assert target == told


@pytest.mark.parametrize(
    "path", ["/.git/config", "/%2egit/config", "//.git/x", "/a/../.git/", "/x.php", "/ADMIN", "/x?debug=1", "/lock"]
)
async def test_refused_requests_are_refused_however_they_are_written(site: Site, path: str) -> None:
    await site.use(
        """location ~ /\\.git { deny all; }
        location ~* \\.PHP$ { return 403; }
        location ~* ^/admin(/|$) { allow 192.0.2.0/24; deny all; }
        set $bad "";
        if ($request_uri ~ "debug=[0-9]+") { set $bad 1; }
        if ($bad) { return 403; }
        if ($uri = /lock) { return 403; }"""
    )
    status, _, _, _ = await site.get(path)
    assert status == 403
    assert (await site.get("/fine"))[0] == 200


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("$request_method = GET", True), ("$request_method != GET", False), ("$http_user_agent ~* 'BOT|spider'", True),
        ("$http_user_agent ~ 'BOT|spider'", False), ("$http_user_agent !~* bot", False), ("$http_none", False),
        ("$http_zero", False), ("$http_zero = 0", True), ("$http_none = ''", True), ("$http_none != \"\"", False),
        ('$http_user_agent ~ "^(?!curl).*1\\.[0-9]{1,2}$"', True), ("$http_user_agent ~ \"^\\w+/1\\b\"", True),
        ("$http_twice ~ one.*two", True), ("$server_protocol = HTTP/1.1", True),
    ],
)  # fmt: skip
async def test_conditions_hold_as_in_nginx(site: Site, condition: str, holds: bool) -> None:
    await site.use(f"if ({condition}) {{ return 418 yes; }}")
    status, _, _, text = await site.get(User_Agent="bot/1.25", zero="0", twice="one, two")
    assert (status == 418) is holds
    assert (text == "yes") is holds


async def test_fixed_answers_have_their_text_and_type(site: Site) -> None:
    await site.use(
        """location = /robots.txt { default_type text/plain; return 200 "User-agent: *\\nDisallow: /"; }
        location /.well-known/x { add_header Content-Type application/json; return 200 '{"m.server": "a:443"}'; }
        location /silent { return 444; }""".replace("\\n", " ")
    )
    status, headers, _, text = await site.get("/robots.txt")
    assert (status, headers["content-type"], text) == (200, "text/plain", "User-agent: * Disallow: /")
    status, headers, _, text = await site.get("/.well-known/x/y")
    assert (status, headers["content-type"], text) == (200, "application/json", '{"m.server": "a:443"}')
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await site.get("/silent")


async def test_a_pattern_that_backtracks_without_end_is_a_400_and_costs_nobody_else(site: Site) -> None:
    await site.use("if ($http_x ~ ^(a+)+$) { return 403; }")
    results = await asyncio.gather(site.get(X="a" * 40 + "b"), site.get(X="b"), site.get(X="aaa"))
    assert [status for status, *_ in results] == [400, 200, 403]


async def test_a_text_that_looks_like_steps_or_configuration_stays_a_text(site: Site) -> None:
    for text in ("),(answer,.403", "%[src] %0d%0a", "${x} \\\\n # } ;", "é,()|:"):
        quoted = text.replace("$", "")
        await site.use(f'proxy_set_header X-Text "{quoted}";')
        _, _, told, _ = await site.get()
        assert told["x-text"].encode("utf-8", "surrogateescape") == quoted.replace("\\\\", "\\").encode()


PATTERNS = (
    "^a(b|c)*d$", "a{2,3}?b", "[^a-c]x", "(a|ab)(c|bcd)(d*)", r"\bfoo\b", r"(?:x|y)+z", "a|b|", "^$", r"\d+\.\d+", "(a*)*b",
    "(a*?)b", "[]x]", r"[\w.-]+@[\w-]+", "a(?=b)", "a(?!b)", "((a)|(b))+c", "^(?:a?){3}a{3}$", r"\x61\.", r"[[:digit:]]{2}",
    ".+?c$",
)  # fmt: skip
TEXTS = (
    "",
    "abcbd",
    "aaab",
    "dx",
    "abcd",
    "a foo.",
    "food",
    "xyxz",
    "3.14",
    "aab",
    "x@y-z",
    "ab",
    "ac",
    "aba.",
    "abc",
    "aaa",
    "12",
    "]",
)


async def test_patterns_match_as_those_of_others(site: Site) -> None:
    steps = [f'if ($http_x ~ "{pattern}") {{ set $found "${{found}}{number},"; }}' for number, pattern in enumerate(PATTERNS)]
    await site.use("set $found '';\n" + "\n".join(steps) + "\nproxy_set_header X-Found $found;")
    for text in TEXTS:
        _, _, told, _ = await site.get(X=text)
        expected = [pattern for pattern in PATTERNS if re.search(pattern.replace("[[:digit:]]", "[0-9]"), text)]
        assert [PATTERNS[int(number)] for number in told.get("x-found", "").split(",") if number] == expected, text


async def test_groups_are_those_of_others(site: Site) -> None:
    for pattern in ("(a|ab)(c|bcd)(d*)", "((a)|(b))+c", "(a*?)(b*)", r"^(\w+)\.(.*)$"):
        await site.use(f'if ($http_x ~ "{pattern}") {{ set $found "<$1><$2><$3>"; }}\nproxy_set_header X-Found $found;')
        for text in TEXTS:
            found = re.search(pattern, text)
            _, _, told, _ = await site.get(X=text)
            groups = [group or "" for group in found.groups()] if found else []
            expected = "".join(f"<{group}>" for group in (*groups, "", "", "")[:3]) if found else None
            assert told.get("x-found") == expected, (pattern, text)


async def test_a_header_that_a_pod_may_take_for_one_that_is_set_is_removed(site: Site) -> None:
    await site.use("proxy_set_header X-Auth-User known;", options=ProxyOptions(enable_underscores_in_headers=True))
    status, _, body = await site._client.get(
        "web.example", headers={"x_auth_user": "1", "X_Auth-User": "2", "x-auth-user": "3", "x_other": "4"}
    )
    told = {name: value for name, value in json.loads(body)["headers"].items() if name.startswith("x_") or "auth" in name}
    assert (status, told) == (200, {"x-auth-user": "known", "x_other": "4"})


async def test_headers_for_pods_speak_of_what_the_client_sent_whatever_else_is_set(site: Site) -> None:
    text = """proxy_set_header X-A $http_x_b; proxy_set_header X-B $http_x_a;
    proxy_set_header X-Host "$host $http_host"; proxy_set_header X-Path "$arg_a$is_args";"""
    rewritten = ForwardTo(NAME, upstream_host=UpstreamHost("inner.example"), rewrite=ConstantPath("/x"))
    await site.use(text, action=rewritten)
    _, _, told, target = await site.get("/y?a=1", X_A="1", X_B="2")
    assert (told["host"], target) == ("inner.example", "/x?a=1")
    assert (told["x-a"], told["x-b"]) == ("2", "1")
    assert (told["x-host"], told["x-path"]) == ("web.example web.example", "1?")


async def test_an_answer_has_no_empty_headers(site: Site) -> None:
    await site.use("""add_header X-Added $arg_a; more_set_headers "X-Set: $arg_a";
if ($arg_b) { return 200 ok; }""")
    for query in ("", "?b=1"):
        _, headers, _, _ = await site.get(f"/{query}", x_answer_X_Set="pod", x_answer_X_Added="pod")
        assert "x-set" not in headers, query
        assert headers.get("x-added") == ("pod" if not query else None), query
    _, headers, _, _ = await site.get("/?a=1")
    assert (headers["x-set"], headers["x-added"]) == ("1", "1")
