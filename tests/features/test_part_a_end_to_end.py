"""Every annotation of part A, and each of ours about sessions, from the Ingress to an answer of the real HAProxy.

What each can do in detail is shown in the tests of its feature; here it is shown that the whole way is there. Each case is an
Ingress with a host of its own, and all of them are served at once; beside each the same Ingress without the annotation, whose
answer must be another one.
"""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import msgspec

from remora.annotations.affinity import Affinity
from remora.annotations.balancing import Balancing
from remora.annotations.canary import Canary
from remora.annotations.cors import Cors
from remora.annotations.declare import Support, rows_of
from remora.annotations.error_pages import ErrorPages
from remora.annotations.headers import Headers
from remora.annotations.hosts import Aliases
from remora.annotations.redirect import Redirect
from remora.annotations.rewrite import Rewrite
from remora.annotations.sessions import Sessions
from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.problem import Severity
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.features.session_lifetime import derive_key
from remora.kube.objects import ConfigMap, EndpointPort, IngressTLS, KubernetesObject, ObjectMeta, ServicePort
from remora.plan.outcome import OutcomeKind
from remora.translate import Translator
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.proxy import Client, Pods, free_ports
from tests.support.translations import snapshot_of

STICKY = {"affinity": "cookie", "session-cookie-name": "held"}
CANARY = {"canary": "true", "canary-weight": "0"}
CORS = {"enable-cors": "true", "cors-allow-origin": "https://page.example"}
OLD_BROWSER = "Mozilla/5.0 AppleWebKit/537.36 Chrome/55.0 Safari/537.36"
PAGE = {"Origin": "https://page.example"}
HELD = {"affinity": "cookie", "affinity-mode": "persistent", "session-cookie-name": "held"}
STAMPED = "held=[0-9a-f]{32}[.][0-9a-f]+[.][0-9a-f]+[.][0-9a-f]{16}~.*"


@dataclass(frozen=True)
class Case:
    """What an Ingress says, what is asked, and what the answer must have.

    `expects` are expressions for headers of the answer, `no` those that it must not have; `told` are headers (or `target`) that
    the pod must have been sent. A `canary` is the annotations of a second Ingress, whose pod is called `canary`.
    The last of `asks` requests is looked at; `spread` is how many pods must have answered one of them.
    """

    annotations: dict[str, str]
    path: str = "/x"
    rule: str = "/"
    sends: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    status: int = 200
    expects: dict[str, str] = field(default_factory=dict)
    no: tuple[str, ...] = ()
    told: dict[str, str] = field(default_factory=dict)
    pod: str = ""
    canary: dict[str, str] = field(default_factory=dict)
    service: str = "web"
    has_tls: bool = False
    host: str = ""
    asks: int = 1
    spread: int = 0


CASES = {
    "affinity": Case({"affinity": "cookie"}, expects={"set-cookie": "INGRESSCOOKIE=.*; Path=/; HttpOnly"}),
    "affinity-mode": Case(
        STICKY | {"affinity-mode": "persistent"}, expects={"set-cookie": "held=[0-9a-f]{20}[|][0-9a-f]{32};.*"}
    ),
    "affinity-canary-behavior": Case(
        STICKY,
        canary=STICKY | {"canary": "true", "canary-weight": "100", "affinity-canary-behavior": "legacy"},
        pod="canary",
        no=("set-cookie",),
    ),
    "session-cookie-name": Case({"affinity": "cookie", "session-cookie-name": "route"}, expects={"set-cookie": "route=.*"}),
    "session-cookie-secure": Case(STICKY | {"session-cookie-secure": "true"}, expects={"set-cookie": ".*; Secure;.*"}),
    "session-cookie-path": Case(STICKY | {"session-cookie-path": "/app"}, expects={"set-cookie": ".*; Path=/app;.*"}),
    "session-cookie-domain": Case(
        STICKY | {"session-cookie-domain": "a.example"}, expects={"set-cookie": ".*; Domain=a.example;.*"}
    ),
    "session-cookie-samesite": Case(STICKY | {"session-cookie-samesite": "Lax"}, expects={"set-cookie": ".*; SameSite=Lax"}),
    "session-cookie-conditional-samesite-none": Case(
        STICKY | {"session-cookie-samesite": "None", "session-cookie-conditional-samesite-none": "true"},
        sends={"User-Agent": OLD_BROWSER},
        expects={"set-cookie": ".*; HttpOnly"},
    ),
    "session-cookie-expires": Case(
        STICKY | {"session-cookie-expires": "60"}, expects={"set-cookie": ".*; Expires=[A-Z][a-z]{2}, .*"}
    ),
    "session-cookie-max-age": Case(STICKY | {"session-cookie-max-age": "60"}, expects={"set-cookie": ".*; Max-Age=60;.*"}),
    "session-cookie-change-on-failure": Case(
        STICKY | {"affinity-mode": "persistent", "session-cookie-change-on-failure": "true"},
        service="half",
        sends={"Cookie": "held=REFUSING|x"},
        expects={"set-cookie": "held=(?!REFUSING).*"},
    ),
    "canary": Case({}, canary={"canary": "true", "canary-weight": "100"}, pod="canary"),
    "canary-by-header": Case({}, canary=CANARY | {"canary-by-header": "X-C"}, sends={"X-C": "always"}, pod="canary"),
    "canary-by-header-value": Case(
        {}, canary=CANARY | {"canary-by-header": "X-C", "canary-by-header-value": "me"}, sends={"X-C": "me"}, pod="canary"
    ),
    "canary-by-header-pattern": Case(
        {}, canary=CANARY | {"canary-by-header": "X-C", "canary-by-header-pattern": "^m"}, sends={"X-C": "me"}, pod="canary"
    ),
    "canary-by-cookie": Case({}, canary=CANARY | {"canary-by-cookie": "beta"}, sends={"Cookie": "beta=always"}, pod="canary"),
    "canary-weight": Case({}, canary={"canary": "true", "canary-weight": "100"}, pod="canary"),
    "canary-weight-total": Case(
        {}, canary={"canary": "true", "canary-weight": "100", "canary-weight-total": "1000000000"}, pod="main"
    ),
    "load-balance": Case({"load-balance": "ewma"}, service="two", asks=12, spread=1),
    "upstream-hash-by": Case({"upstream-hash-by": "$request_uri"}, service="two", asks=20, spread=1),
    "upstream-hash-by-subset": Case(
        {"upstream-hash-by": "$request_uri", "upstream-hash-by-subset": "true"}, service="two", asks=20, spread=2
    ),
    "upstream-hash-by-subset-size": Case(
        {"upstream-hash-by": "$request_uri", "upstream-hash-by-subset": "true", "upstream-hash-by-subset-size": "1"},
        service="two",
        asks=20,
        spread=1,
    ),
    "use-regex": Case({"use-regex": "true"}, rule="/[0-9]+$", path="/42"),
    "rewrite-target": Case({"rewrite-target": "/$2"}, rule="/app(/|$)(.*)", path="/app/x?y=1", told={"target": "/x?y=1"}),
    "app-root": Case({"app-root": "/start"}, path="/", status=302, expects={"location": ".*/start"}),
    "x-forwarded-prefix": Case(
        {"rewrite-target": "/$2", "x-forwarded-prefix": "/app"},
        rule="/app(/|$)(.*)",
        path="/app/x",
        told={"x-forwarded-prefix": "/app"},
    ),
    "ssl-redirect": Case({"ssl-redirect": "false"}, has_tls=True, pod="main"),
    "force-ssl-redirect": Case({"force-ssl-redirect": "true"}, status=308, expects={"location": "https://.*/x"}),
    "preserve-trailing-slash": Case(
        {"force-ssl-redirect": "true", "preserve-trailing-slash": "true"}, path="/x/", status=308, expects={"location": ".*/x/"}
    ),
    "use-port-in-redirects": Case(
        {"force-ssl-redirect": "true", "use-port-in-redirects": "true"},
        status=308,
        expects={"location": r"https://[^/]*:\d+/x"},
    ),
    "permanent-redirect": Case(
        {"permanent-redirect": "https://a.example/"}, status=301, expects={"location": "https://a.example/"}
    ),
    "permanent-redirect-code": Case(
        {"permanent-redirect": "https://a.example/", "permanent-redirect-code": "308"}, status=308, expects={"location": ".*"}
    ),
    "temporal-redirect": Case(
        {"temporal-redirect": "https://a.example/"}, status=302, expects={"location": "https://a.example/"}
    ),
    "temporal-redirect-code": Case(
        {"temporal-redirect": "https://a.example/", "temporal-redirect-code": "307"}, status=307, expects={"location": ".*"}
    ),
    "relative-redirects": Case(
        {"permanent-redirect": "/there", "relative-redirects": "true"}, status=301, expects={"location": "/there"}
    ),
    "from-to-www-redirect": Case(
        {"from-to-www-redirect": "true"},
        host="www.from-to-www-redirect.example.com",
        status=308,
        expects={"location": ".*//from-.*"},
    ),
    "server-alias": Case({"server-alias": "other.example.org"}, host="other.example.org"),
    "default-backend": Case({"default-backend": "errors"}, service="empty", pod="errors", told={"x-code": "503"}),
    "custom-http-errors": Case(
        {"default-backend": "errors", "custom-http-errors": "404"},
        sends={"X-Status": "404"},
        status=404,
        told={"x-code": "404"},
    ),
    "disable-proxy-intercept-errors": Case(
        {"default-backend": "errors", "custom-http-errors": "404", "disable-proxy-intercept-errors": "true"},
        sends={"X-Status": "404"},
        status=404,
        pod="main",
    ),
    "enable-cors": Case({"enable-cors": "true"}, expects={"access-control-allow-origin": r"\*"}),
    "cors-allow-origin": Case(CORS, sends=PAGE, expects={"access-control-allow-origin": "https://page.example"}),
    "cors-allow-methods": Case(
        CORS | {"cors-allow-methods": "GET"},
        sends=PAGE,
        method="OPTIONS",
        status=204,
        expects={"access-control-allow-methods": "GET"},
    ),
    "cors-allow-headers": Case(
        CORS | {"cors-allow-headers": "X-A"}, sends=PAGE, expects={"access-control-allow-headers": "X-A"}
    ),
    "cors-allow-credentials": Case(
        CORS | {"cors-allow-credentials": "false"}, sends=PAGE, no=("access-control-allow-credentials",)
    ),
    "cors-expose-headers": Case(
        CORS | {"cors-expose-headers": "X-B"}, sends=PAGE, expects={"access-control-expose-headers": "X-B"}
    ),
    "cors-max-age": Case(CORS | {"cors-max-age": "60"}, sends=PAGE, expects={"access-control-max-age": "60"}),
    "upstream-vhost": Case({"upstream-vhost": "inner.example"}, told={"host": "inner.example"}),
    "custom-headers": Case({"custom-headers": "shop/headers"}, expects={"x-custom": "yes"}),
    "service-upstream": Case({"service-upstream": "true"}, service="virtual"),
}

OURS = {
    "session-absolute-timeout": Case(HELD | {"remora.io/session-absolute-timeout": "1h"}, expects={"set-cookie": STAMPED}),
    "session-cookie-format": Case(
        HELD | {"remora.io/session-cookie-format": "ingress-nginx"},
        expects={"set-cookie": "held=[0-9a-f]{32}[|][0-9a-f]{32};.*"},
    ),
    "session-cookie-partitioned": Case(
        HELD | {"remora.io/session-cookie-partitioned": "true"}, expects={"set-cookie": ".*; Partitioned; Secure;.*"}
    ),
    "session-cookie-sliding": Case(
        HELD | {"session-cookie-max-age": "60", "remora.io/session-cookie-sliding": "true"}, expects={"set-cookie": STAMPED}
    ),
    "session-idle-timeout": Case(HELD | {"remora.io/session-idle-timeout": "15m"}, expects={"set-cookie": STAMPED}),
    "session-keep-unready": Case(
        HELD | {"remora.io/session-keep-unready": "true"},
        service="ailing",
        sends={"Cookie": "held=UNREADY|x"},
        pod="ill",
    ),
    "session-learn": Case(
        {"remora.io/session-learn": "header:X-Named"}, service="two", sends={"X-Named": "a"}, asks=20, spread=1
    ),
    "session-limit": Case(
        HELD | {"remora.io/session-limit": "1"}, service="small", asks=2, status=503, expects={"retry-after": "10"}
    ),
    "session-overflow": Case(
        HELD | {"remora.io/session-limit": "1", "remora.io/session-overflow": "allow"}, service="smaller", asks=2
    ),
    "session-placement": Case(
        STICKY | {"remora.io/session-placement": "least-sessions"},
        expects={"set-cookie": "held=kept~[0-9a-f]{20}[|][0-9a-f]{32}[|][0-9a-f]{32};.*"},
    ),
    "session-tracking": Case(
        HELD | {"remora.io/session-tracking": "true"}, expects={"set-cookie": "held=[0-9a-f]{32}~[0-9a-f]{20}[|].*"}
    ),
}
BUSY = "load-balance"
"""What is seen while one pod is still at an earlier request."""

PART_A = (Affinity, Aliases, Balancing, Canary, Cors, ErrorPages, Headers, Redirect, Rewrite)
PART_B = {"connection-proxy-header"}
SETTINGS = RoutingSettings(session_key=b"0123456789abcdef", configmap=NamespacedName("shop", "controller"))


def test_every_annotation_of_part_a_and_each_about_sessions_has_a_case() -> None:
    honoured = (Support.FULL, Support.PARTIAL)
    names = {row.name for group in PART_A for row in rows_of(group).values() if row.name and row.support in honoured}
    assert len(names) > 50
    assert set(CASES) == names - PART_B
    assert set(OURS) == {row.name for row in rows_of(Sessions).values()}


def without(name: str, case: Case) -> Case:
    """The case on another host and without its annotation, in the Ingress or in that of its canary."""
    names = {name, f"remora.io/{name}"}
    host = "no-" + case.host if case.host.startswith("other.") else case.host.replace(name, f"no-{name}")
    return replace(
        case,
        annotations={key: value for key, value in case.annotations.items() if key not in names},
        canary={key: value for key, value in case.canary.items() if key not in names},
        service=f"{case.service}-2" if case.service in ("small", "smaller") else case.service,
        host=host,
    )


def objects(cases: dict[str, Case], ports: dict[str, int], *, refusing: int) -> list[KubernetesObject]:
    """All cases as Ingresses, and what they refer to."""

    def served(name: str, *found: tuple[str, int]) -> list[KubernetesObject]:
        slices = [
            endpoint_slice(f"shop/{name}-{pod}", name, endpoint("127.0.0.1", pod), ports=(EndpointPort("http", port),))
            for pod, port in found
        ]
        return [service(f"shop/{name}"), *slices]

    made: list[KubernetesObject] = [
        ingress_class("nginx"),
        *served("web", ("main", ports["main"])),
        *served("next", ("canary", ports["canary"])),
        *served("errors", ("errors", ports["errors"])),
        *served("half", ("main", ports["main"]), ("refusing", refusing)),
        *served("two", ("main", ports["main"]), ("canary", ports["canary"])),
        *served("ailing", ("main", ports["main"])),
        endpoint_slice(
            "shop/ailing-ill",
            "ailing",
            endpoint("127.0.0.1", "ill", ready=False),
            ports=(EndpointPort("http", ports["ill"]),),
        ),
        *(one for name in ("small", "small-2", "smaller", "smaller-2") for one in served(name, (name, ports["main"]))),
        *served("empty"),
        service("shop/virtual", ServicePort(ports["main"], "http", target_port=8080), cluster_ip="127.0.0.1"),
        ConfigMap(ObjectMeta("headers", "shop"), data={"X-Custom": "yes"}),
        ConfigMap(ObjectMeta("controller", "shop"), data={"global-allowed-response-headers": "X-Custom"}),
    ]
    for name, case in cases.items():
        host = f"{name}.example.com"
        wanted = rule(host, case.rule, service=case.service, port=ports["main"] if case.service == "virtual" else 80)
        tls = (IngressTLS(hosts=(host,)),) if case.has_tls else ()
        made.append(ingress(f"shop/{name}", wanted, annotations=case.annotations, tls=tls))
        if case.canary:
            beside = rule(host, case.rule, service="next")
            made.append(ingress(f"shop/{name}-beside", beside, annotations=case.canary, created="2026-01-02T00:00:00Z"))
    return made


def server_at(wanted: Configuration, port: int) -> str:
    """The name of a server."""
    return next(server.name for backend in wanted.backends.values() for server in backend.servers if server.port == port)


async def ask(client: Client, name: str, case: Case) -> list[str]:
    """What is wrong with the last answer; the pods' answers say what they were sent."""
    host = case.host or f"{name}.example.com"
    answered = set()
    for _ in range(case.asks):
        status, headers, body = await client.get(host, case.path, method=case.method, headers=case.sends)
        answer = json.loads(body) if headers.get("content-type", "").startswith("application/json") else {}
        answered.add(answer.get("pod"))
    wrong = [f"status {status}"] if status != case.status else []
    for header, expected in case.expects.items():
        if not re.fullmatch(expected, headers.get(header, "")):
            wrong.append(f"{header}: {headers.get(header)}")
    wrong += [f"{header} is there" for header in case.no if header in headers]
    told = {"target": answer.get("target"), **answer.get("headers", {})}
    wrong += [
        f"the pod was told {header}: {told.get(header)}" for header, value in case.told.items() if told.get(header) != value
    ]
    if case.pod and answer.get("pod") != case.pod:
        wrong.append(f"answered by {answer.get('pod')}")
    if case.spread and len(answered) != case.spread:
        wrong.append(f"answered by {answered}")
    return wrong


async def test_every_annotation_does_what_it_is_for_and_without_it_nothing_does(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    cases = CASES | OURS
    bare = {f"no-{name}": without(name, case) for name, case in cases.items()}
    ports = {name: await pods.start(name) for name in ("main", "canary", "errors", "ill")}
    (refusing,) = free_ports(1)
    translation = Translator(SETTINGS).translate(snapshot_of(objects(cases | bare, ports, refusing=refusing)), None)
    errors = [problem for problem in translation.problems if problem.severity is Severity.ERROR]
    assert [one for one in errors if not one.object.name.name.startswith("no-")] == []
    keyed = msgspec.structs.replace(proxy_settings, lifetime_key=derive_key(SETTINGS.session_key))
    wanted = Configurator(keyed).configure(translation.model)
    assert (await executor.apply(wanted)).kind is not OutcomeKind.FAILED
    names = {"REFUSING": server_at(wanted, refusing), "UNREADY": server_at(wanted, ports["ill"])}

    async def wrong_with(name: str, case: Case) -> list[str]:
        cookie = re.sub("[A-Z]{7,}", lambda found: names[found[0]], case.sends.get("Cookie", ""))
        return await ask(client, name, replace(case, sends=case.sends | ({"Cookie": cookie} if cookie else {})))

    async with AsyncExitStack() as stack:
        for name in (BUSY, f"no-{BUSY}"):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
            stack.callback(writer.close)
            writer.write(f"POST / HTTP/1.1\r\nHost: {name}.example.com\r\nContent-Length: 9\r\n\r\n".encode())
        async with asyncio.timeout(20):
            while await wrong_with(BUSY, cases[BUSY]):
                await asyncio.sleep(0.05)
        assert {name: found for name, case in cases.items() if (found := await wrong_with(name, case))} == {}
        assert [name for name, case in bare.items() if not await wrong_with(name, case)] == []
