"""Hosts that no rule names, from the Ingress to the real HAProxy."""

import json

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.kube.objects import EndpointPort, IngressTLS, KubernetesObject
from remora.model import Model
from remora.translate import Translator
from tests.support.certificates import self_signed
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service
from tests.support.proxy import Client, Pods
from tests.support.translations import snapshot_of

SETTINGS = RoutingSettings(session_key=b"k")


def translated(*objects: KubernetesObject) -> Model:
    surroundings = (ingress_class("nginx"), service("shop/web"))
    return Translator(SETTINGS).translate(snapshot_of((*surroundings, *objects)), None).model


async def test_an_alias_answers_like_its_host_and_www_leads_there(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    annotations = {
        "server-alias": ".alias.example",
        "from-to-www-redirect": "true",
        "rewrite-target": "/",
        "affinity": "cookie",
    }
    wanted = translated(
        ingress("shop/one", rule("web.example", "/app"), annotations=annotations),
        endpoint_slice("shop/web-1", "web", endpoint("127.0.0.1", "a"), ports=(EndpointPort("http", port),)),
    )
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    for name in ("web.example", "alias.example", "x.alias.example"):
        status, headers, body = await client.get(name, "/app/x")
        assert (status, json.loads(body)["target"], headers["set-cookie"].partition("=")[0]) == (200, "/", "INGRESSCOOKIE")
        assert (await client.get(name, "/else"))[0] == 404
    status, headers, _ = await client.get("www.web.example", "/app/?a=b")
    assert (status, headers["location"]) == (308, f"http://web.example:{proxy_settings.http_port}/app/?a=b")


def test_an_alias_is_served_with_its_host_s_certificate_if_that_has_its_name() -> None:
    pem = self_signed("*.alias.example")
    certificate = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)
    key = pem.removeprefix(certificate)
    wanted = translated(
        ingress(
            "shop/one",
            rule("web.example", "/"),
            annotations={"server-alias": "one.alias.example,other.example"},
            tls=(IngressTLS(("web.example",), "tls"),),
        ),
        secret("shop/tls", tls_crt=certificate, tls_key=key),
    )
    assert [(found.name, found.hosts) for found in wanted.certificates] == [("shop/tls", ("one.alias.example", "web.example"))]
    sent_to_https = {found.host: found.routes[0].https_redirect is not None for found in wanted.virtual_hosts}
    assert sent_to_https == {"web.example": True, "one.alias.example": True, "other.example": False}
