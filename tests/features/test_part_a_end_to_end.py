"""Every annotation of part A, from the Ingress as people write it to an answer of the real HAProxy.

What each can do in detail is shown in the tests of its feature; here it is shown that the whole way is there. Each case is an
Ingress with a host of its own, and all of them are served at once.
"""

import json
import re
from dataclasses import dataclass, field, replace

from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.problem import Severity
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configuration, Configurator
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
TLS = {"ssl-redirect": "true"}


@dataclass(frozen=True)
class Case:
    """What an Ingress says, what is asked, and what the answer must have.

    `expects` are expressions for headers of the answer, `no` those that it must not have; `told` are headers (or `target`) that
    the pod must have been sent. A `canary` is the annotations of a second Ingress, whose pod is called `canary`.
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


CASES = {
    "affinity": Case({"affinity": "cookie"}, expects={"set-cookie": "INGRESSCOOKIE=.*; Path=/; HttpOnly"}),
    "affinity-mode": Case(
        STICKY | {"affinity-mode": "persistent"}, expects={"set-cookie": "held=[0-9a-f]{20}[|][0-9a-f]{32};.*"}
    ),
    "affinity-canary-behavior": Case(
        STICKY, canary=STICKY | {"canary": "true", "canary-weight": "100", "affinity-canary-behavior": "legacy"}, pod="canary"
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
    "canary": Case({}, canary={"canary": "true"}, pod="main"),
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
        {}, canary={"canary": "true", "canary-weight": "500", "canary-weight-total": "500"}, pod="canary"
    ),
    "load-balance": Case({"load-balance": "ewma"}),
    "upstream-hash-by": Case({"upstream-hash-by": "$request_uri"}),
    "upstream-hash-by-subset": Case({"upstream-hash-by": "$request_uri", "upstream-hash-by-subset": "true"}),
    "upstream-hash-by-subset-size": Case(
        {"upstream-hash-by": "$request_uri", "upstream-hash-by-subset": "true", "upstream-hash-by-subset-size": "1"}
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
    "ssl-redirect": Case(TLS, has_tls=True, status=308, expects={"location": "https://ssl-redirect.example.com/x"}),
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

PART_A = """
affinity affinity-canary-behavior affinity-mode app-root canary canary-by-cookie canary-by-header canary-by-header-pattern
canary-by-header-value canary-weight canary-weight-total cors-allow-credentials cors-allow-headers cors-allow-methods
cors-allow-origin cors-expose-headers cors-max-age custom-headers custom-http-errors default-backend
disable-proxy-intercept-errors enable-cors force-ssl-redirect from-to-www-redirect load-balance permanent-redirect
permanent-redirect-code preserve-trailing-slash relative-redirects rewrite-target server-alias service-upstream
session-cookie-change-on-failure session-cookie-conditional-samesite-none session-cookie-domain session-cookie-expires
session-cookie-max-age session-cookie-name session-cookie-path session-cookie-samesite session-cookie-secure ssl-redirect
temporal-redirect temporal-redirect-code upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size upstream-vhost
use-port-in-redirects use-regex x-forwarded-prefix
"""
SETTINGS = RoutingSettings(session_key=b"0123456789abcdef", configmap=NamespacedName("shop", "controller"))


def test_every_annotation_of_part_a_has_a_case() -> None:
    assert set(CASES) == set(PART_A.split())


def objects(ports: dict[str, int], *, refusing: int) -> list[KubernetesObject]:
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
        *served("empty"),
        service("shop/virtual", ServicePort(ports["main"], "http", target_port=8080), cluster_ip="127.0.0.1"),
        ConfigMap(ObjectMeta("headers", "shop"), data={"X-Custom": "yes"}),
        ConfigMap(ObjectMeta("controller", "shop"), data={"global-allowed-response-headers": "X-Custom"}),
    ]
    for name, case in CASES.items():
        host = f"{name}.example.com"
        wanted = rule(host, case.rule, service=case.service, port=ports["main"] if case.service == "virtual" else 80)
        tls = (IngressTLS(hosts=(host,)),) if case.has_tls else ()
        made.append(ingress(f"shop/{name}", wanted, annotations=case.annotations, tls=tls))
        if case.canary:
            made.append(ingress(f"shop/{name}-canary", rule(host, case.rule, service="next"), annotations=case.canary))
    return made


def refusing_server(wanted: Configuration, port: int) -> str:
    """The name of the server that nobody listens behind."""
    return next(server.name for backend in wanted.backends.values() for server in backend.servers if server.port == port)


async def ask(client: Client, name: str, case: Case) -> list[str]:
    """What is wrong with the answer; the pods' answers say what they were sent."""
    host = case.host or f"{name}.example.com"
    status, headers, body = await client.get(host, case.path, method=case.method, headers=case.sends)
    wrong = [f"status {status}"] if status != case.status else []
    for header, expected in case.expects.items():
        if not re.fullmatch(expected, headers.get(header, "")):
            wrong.append(f"{header}: {headers.get(header)}")
    wrong += [f"{header} is there" for header in case.no if header in headers]
    answer = json.loads(body) if headers.get("content-type", "").startswith("application/json") else {}
    told = {"target": answer.get("target"), **answer.get("headers", {})}
    wrong += [
        f"the pod was told {header}: {told.get(header)}" for header, value in case.told.items() if told.get(header) != value
    ]
    if case.pod and answer.get("pod") != case.pod:
        wrong.append(f"answered by {answer.get('pod')}")
    return wrong


async def test_every_annotation_of_part_a_does_what_it_is_for(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    ports = {name: await pods.start(name) for name in ("main", "canary", "errors")}
    (refusing,) = free_ports(1)
    translation = Translator(SETTINGS).translate(snapshot_of(objects(ports, refusing=refusing)), None)
    assert [problem for problem in translation.problems if problem.severity is Severity.ERROR] == []
    wanted = Configurator(proxy_settings).configure(translation.model)
    assert (await executor.apply(wanted)).kind is not OutcomeKind.FAILED
    name_of_refusing = refusing_server(wanted, refusing)
    wrong = {}
    for name, case in CASES.items():
        sends = {key: value.replace("REFUSING", name_of_refusing) for key, value in case.sends.items()}
        found = await ask(client, name, replace(case, sends=sends))
        if found:
            wrong[name] = found
    assert wrong == {}
