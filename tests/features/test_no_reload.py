"""The most used annotations cost no reload: whatever Ingresses say with them is data to a running HAProxy.

The names are the first of the usage count, in its order, with values that people write; those of part A of the behaviour
reference one by one, those of part B with what belongs to them.
"""

import json
import random
from collections.abc import Mapping

import pytest

from remora.apply.executor import Executor
from remora.core.problem import Severity
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.kube.objects import EndpointPort, Ingress, IngressTLS, KubernetesObject
from remora.model import Model
from remora.plan.outcome import Outcome, OutcomeKind
from remora.translate import Translation, Translator
from tests.support.certificates import self_signed
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service
from tests.support.proxy import Client, Pods
from tests.support.translations import snapshot_of

MOST_USED: dict[str, tuple[str, ...]] = {
    "ssl-redirect": ("true", "false"),
    "rewrite-target": ("/$2", "/", "/$1", "/$3", "/ws$2"),
    "force-ssl-redirect": ("true", "false"),
    "use-regex": ("true", "false"),
    "enable-cors": ("true", "false"),
    "cors-allow-origin": ("https://a.example", "*", "https://a.example, https://*.b.example"),
    "affinity": ("cookie",),
    "cors-allow-headers": ("Authorization, Content-Type", "DNT,User-Agent,X-Requested-With"),
    "session-cookie-name": ("route", "SERVERID", "INGRESSCOOKIE"),
    "cors-allow-methods": ("GET, POST, PUT, DELETE, OPTIONS", "GET"),
    "upstream-hash-by": ("$remote_addr", "$request_uri", "$binary_remote_addr", "$http_x_user$arg_id", "$cookie_sid"),
    "service-upstream": ("true", "false"),
    "cors-allow-credentials": ("true", "false"),
    "custom-http-errors": ("404,503", "404", "502,503,504"),
    "permanent-redirect": ("https://new.example", "https://other.example/x"),
    "session-cookie-max-age": ("172800", "86400", "3600"),
    "session-cookie-expires": ("172800", "86400"),
    "load-balance": ("round_robin", "ewma"),
    "session-cookie-hash": ("sha1", "md5"),
    "app-root": ("/dashboard", "/app/"),
    "cors-max-age": ("3600", "600"),
}
"""One more than twenty: `session-cookie-hash` is of long ago, and means nothing any more."""

MOST_USED_POLICIES: tuple[dict[str, str], ...] = (
    {"proxy-body-size": "10m", "proxy-request-buffering": "off", "client-body-buffer-size": "1M"},
    {"proxy-read-timeout": "3600", "proxy-send-timeout": "3600"},
    {"proxy-connect-timeout": "30"},
    {"configuration-snippet": 'more_set_headers "X-Frame-Options: DENY";\nproxy_set_header X-A $host;'},
    {"server-snippet": "location = /robots.txt { return 200 none; }"},
    *({"backend-protocol": protocol} for protocol in ("HTTPS", "HTTP", "GRPC", "GRPCS", "AUTO_HTTP")),
    {"proxy-buffer-size": "128k", "proxy-buffering": "off", "proxy-buffers-number": "4", "proxy-http-version": "1.1"},
    {"auth-url": "http://web.shop.svc/auth", "auth-signin": "https://a.example/start?rd=$escaped_request_uri"},
    {
        "auth-url": "http://web.shop.svc/auth",
        "auth-response-headers": "X-Auth-Request-User, Authorization",
        "auth-method": "GET",
    },
    {"whitelist-source-range": "10.0.0.0/8, 192.168.0.0/16"},
    {"auth-type": "basic", "auth-secret": "users", "auth-realm": "Authentication Required"},
    {"limit-rps": "10", "limit-burst-multiplier": "5"},
    {"limit-rpm": "100", "limit-whitelist": "10.0.0.0/8"},
    {"limit-connections": "20"},
    {"auth-tls-secret": "shop/authority", "auth-tls-verify-client": "on", "auth-tls-verify-depth": "1"},
    {"ssl-ciphers": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"},
    {"default-backend": "other"},
    {"proxy-cookie-path": "/ /app/", "proxy-redirect-from": "http://a.example/", "proxy-redirect-to": "/"},
    {"mirror-target": "http://127.0.0.1:9/$request_uri"},
    {"enable-access-log": "false"},
    {"ssl-passthrough": "true"},
)
"""Values that have a price of one reload are in docs/differences.md: `backend-protocol: FCGI` and conditions for a next try."""

CLOSING = {"modsecurity-snippet": "SecRuleEngine On", "enable-modsecurity": "true"}
"""What is never served, since HAProxy has no firewall."""

FIFTY = """
proxy-body-size ssl-redirect proxy-read-timeout proxy-send-timeout rewrite-target force-ssl-redirect
configuration-snippet backend-protocol proxy-connect-timeout server-snippet use-regex proxy-buffer-size auth-url
enable-cors auth-signin whitelist-source-range cors-allow-origin ssl-passthrough auth-secret auth-type limit-rps
auth-realm affinity auth-response-headers limit-connections cors-allow-headers proxy-buffering session-cookie-name
cors-allow-methods upstream-hash-by service-upstream proxy-request-buffering auth-tls-verify-client
cors-allow-credentials custom-http-errors permanent-redirect modsecurity-snippet limit-rpm proxy-buffers-number
session-cookie-max-age session-cookie-expires auth-tls-secret load-balance session-cookie-hash auth-tls-verify-depth
proxy-http-version app-root cors-max-age ssl-ciphers client-body-buffer-size
"""
"""The first fifty of the usage count, but for names that ingress-nginx does not know."""

ONLY_WITH = {"cors-": {"enable-cors": "true"}, "session-cookie-": {"affinity": "cookie"}}
PATHS = ("/", "/app(/|$)(.*)", "/v(1|2)?(/|$)(.*)", "/api/v[0-9]+/(.*)")


class Cluster:
    """Ingresses that come, change and go, before a HAProxy that runs."""

    def __init__(self, executor: Executor, settings: ProxySettings, objects: list[KubernetesObject]) -> None:
        self._executor = executor
        self._configurator = Configurator(settings)
        self._objects = objects

    async def apply(self, *ingresses: Ingress) -> Outcome:
        return await self._executor.apply(self._configurator.configure(self._model(ingresses)))

    def _model(self, ingresses: tuple[Ingress, ...]) -> Model:
        return self._translated(ingresses).model

    def _translated(self, ingresses: tuple[Ingress, ...]) -> Translation:
        settings = RoutingSettings(session_key=b"k")
        return Translator(settings).translate(snapshot_of([*self._objects, *ingresses]), None)

    def errors_in(self, *ingresses: Ingress) -> list[str]:
        """What would close routes, which costs no reload either."""
        problems = self._translated(ingresses).problems
        return [problem.message for problem in problems if problem.severity is Severity.ERROR]

    async def costs_no_reload(self, *ingresses: Ingress) -> None:
        outcome = await self.apply(*ingresses)
        assert outcome.kind in (OutcomeKind.RUNTIME, OutcomeKind.UNCHANGED), (outcome.reasons, outcome.error)
        assert outcome.reasons == ()


@pytest.fixture
async def cluster(executor: Executor, proxy_settings: ProxySettings, pods: Pods) -> Cluster:
    port = await pods.start("a")
    certificate, begin, key = self_signed("shop.example").partition(b"-----BEGIN PRIVATE KEY")
    pair = secret("shop/tls", tls_crt=certificate, tls_key=begin + key)
    users = secret("shop/users", auth=b"ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    objects: list[KubernetesObject] = [ingress_class("nginx"), pair, users, secret("shop/authority", ca_crt=certificate)]
    for name in ("web", "other"):
        addresses = (endpoint("127.0.0.1", f"{name}-a"), endpoint("127.0.0.2", f"{name}-b"))
        objects.append(service(f"shop/{name}", cluster_ip="10.96.0.7"))
        objects.append(endpoint_slice(f"shop/{name}", name, *addresses, ports=(EndpointPort("http", port),)))
    found = Cluster(executor, proxy_settings, objects)
    assert (await found.apply(plain())).kind is OutcomeKind.START
    return found


def plain() -> Ingress:
    """One that is there all the time."""
    return ingress("shop/plain", rule("plain.example", "/"))


def annotated(annotations: Mapping[str, str], *paths: str, name: str = "shop", service: str = "web") -> Ingress:
    host = f"{name}.example"
    wanted = rule(host, *paths, service=service, path_type="ImplementationSpecific")
    return ingress(f"shop/{name}", wanted, annotations=dict(annotations), tls=(IngressTLS((host,), "tls"),))


@pytest.mark.parametrize("name", MOST_USED)
async def test_an_annotation_that_comes_changes_and_goes_costs_no_reload(name: str, cluster: Cluster, client: Client) -> None:
    needed = next((others for prefix, others in ONLY_WITH.items() if name.startswith(prefix)), {})
    await cluster.costs_no_reload(plain(), annotated({}, *PATHS))
    for value in MOST_USED[name]:
        await cluster.costs_no_reload(plain(), annotated({**needed, name: value}, *PATHS))
    await cluster.costs_no_reload(plain(), annotated({}, *PATHS))
    await cluster.costs_no_reload(plain())
    for value in MOST_USED[name]:
        await cluster.costs_no_reload(plain(), annotated({**needed, name: value}, *PATHS))
        await cluster.costs_no_reload(plain())
    assert (await client.get("plain.example"))[0] == 200


async def test_all_of_them_together_cost_no_reload(cluster: Cluster, client: Client) -> None:
    everything = {name: values[0] for name, values in MOST_USED.items()}
    elsewhere = ("ssl-redirect", "force-ssl-redirect", "permanent-redirect", "app-root", "service-upstream")
    served = {name: value for name, value in everything.items() if name not in elsewhere} | {"ssl-redirect": "false"}
    await cluster.costs_no_reload(plain(), annotated(everything, *PATHS))
    await cluster.costs_no_reload(plain(), annotated(served, *PATHS))
    status, headers, body = await client.get("shop.example", "/app/x", headers={"Origin": "https://a.example"})
    assert (status, headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert headers["set-cookie"].startswith("route=")
    assert json.loads(body)["target"] == "/x"
    for name in everything:
        await cluster.costs_no_reload(plain(), annotated({**everything, name: MOST_USED[name][-1]}, *PATHS))
        await cluster.costs_no_reload(
            plain(), annotated({other: everything[other] for other in everything if other != name}, *PATHS)
        )
    await cluster.costs_no_reload(plain())


@pytest.mark.parametrize("seed", range(3))
async def test_ingresses_with_any_of_them_cost_no_reload(seed: int, cluster: Cluster, client: Client) -> None:
    draw = random.Random(seed)
    there: dict[str, Ingress] = {}
    for _ in range(60):
        name = draw.choice(("shop", "one", "two"))
        if name in there and draw.random() < 0.2:
            del there[name]
        else:
            chosen = {key: draw.choice(MOST_USED[key]) for key in draw.sample(list(MOST_USED), draw.randrange(len(MOST_USED)))}
            there[name] = annotated(chosen, *draw.sample(PATHS, 2), name=name, service=draw.choice(("web", "other")))
        await cluster.costs_no_reload(plain(), *there.values())
    assert (await client.get("plain.example"))[0] == 200


@pytest.mark.parametrize("annotations", MOST_USED_POLICIES, ids=lambda annotations: next(iter(annotations)))
async def test_a_policy_that_comes_and_goes_costs_no_reload(
    annotations: dict[str, str], cluster: Cluster, client: Client
) -> None:
    sticky = {"affinity": "cookie"}
    assert cluster.errors_in(annotated(annotations, *PATHS)) == []
    await cluster.costs_no_reload(plain(), annotated(sticky, *PATHS))
    await cluster.costs_no_reload(plain(), annotated(annotations, *PATHS))
    await cluster.costs_no_reload(plain(), annotated({**sticky, **annotations}, *PATHS))
    await cluster.costs_no_reload(plain(), annotated(sticky, *PATHS))
    assert (await client.get("plain.example"))[0] == 200


async def test_policies_together_cost_no_reload(cluster: Cluster) -> None:
    together: dict[str, str] = {}
    for annotations in MOST_USED_POLICIES:
        together |= annotations
        await cluster.costs_no_reload(plain(), annotated(together, *PATHS))
    await cluster.costs_no_reload(plain())


def test_the_most_used_fifty_are_all_here() -> None:
    tried = {*MOST_USED, *CLOSING, *(name for annotations in MOST_USED_POLICIES for name in annotations)}
    assert len(FIFTY.split()) == 50
    assert [name for name in FIFTY.split() if name not in tried] == []


@pytest.mark.parametrize("name", CLOSING)
async def test_a_firewall_that_closes_its_routes_costs_no_reload(name: str, cluster: Cluster, client: Client) -> None:
    closed = annotated({name: CLOSING[name]}, *PATHS)
    assert [one for one in cluster.errors_in(closed) if "cannot be honoured" in one]
    await cluster.costs_no_reload(plain(), annotated({}, *PATHS))
    await cluster.costs_no_reload(plain(), closed)
    assert (await client.get("shop.example"))[0] == 503
    await cluster.costs_no_reload(plain(), annotated({}, *PATHS))
    await cluster.costs_no_reload(plain())
