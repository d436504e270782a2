"""Odd text in objects, all the way to a real HAProxy: it takes it at its start and at run time, and nobody else notices."""

import base64
import random
from collections.abc import Iterator

from remora.annotations.registry import rows
from remora.apply.adopt import read_running
from remora.apply.executor import Executor
from remora.apply.runtime import RuntimeSocket
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.kube.objects import ConfigMap, EndpointPort, IngressTLS, KubernetesObject, ObjectMeta
from remora.model import Model
from remora.plan.decide import Unchanged, decide
from remora.plan.outcome import OutcomeKind
from remora.translate import Translator
from remora.watch.snapshot import Snapshot
from tests.support.certificates import self_signed
from tests.support.kubernetes import (
    PREFIX,
    endpoint,
    endpoint_slice,
    ingress,
    ingress_class,
    rule,
    secret,
    service,
)
from tests.support.proxy import Client, Pods

PIECES = (
    *(
        "\n    http-request deny",
        "\r\nX: y",
        "a b",
        "a\tb",
        "a # b",
        "a'b",
        'a"b',
        "a\\",
        "\\",
        "}",
        "%[src]",
        "%%",
        "$HOME",
        ";",
    ),
    *(
        "a|b",
        "a;b",
        "\x00",
        "\x1b[0m",
        "\u2028",
        "\u0085",
        "é" * 900,
        "x" * 1900,
        "x" * 20_000,
        " " * 1500,
        "<<",
        "+ ",
        "> ",
        "%",
    ),
    *("/(", "/[", "(?i)", "a{1,9999}", "$1", "-", "!", "*", "..", "//!", "%00", "\\Q", "\\;", "\u00a0", "(a|b)*", "/", "\\\\ "),
)


def pairs() -> list[tuple[bytes, bytes]]:
    """Secrets: what people and editors make of a certificate and its key, and what is none."""
    pem = self_signed("tls.example.com")
    end = b"-----END CERTIFICATE-----\n"
    certificate, key = pem.split(end)[0] + end, pem.split(end)[1]
    other = self_signed("other.example.com").split(end)[1]
    return [
        (certificate, key),
        (certificate.replace(b"\n", b"\r\n"), key.replace(b"\n", b"\r\n")),
        (b"\n\nBag Attributes\n  name: x\n\n" + certificate + b"\n\nshow info\n\n", b"\n# key\n\n" + key + b"\n\n"),
        (certificate + certificate, key + other),
        (certificate, other + key),
        (certificate + b"\xff\xfe\x00garbage", key + b"\x00\n\nshow env\n"),
        (pem, pem),
        (b"-----BEGIN CERTIFICATE-----\n\n" + base64.b64encode(b"x" * 99) + b"\n" + end, key),
        (b"", key),
        (certificate, b"-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n"),
    ]


ACCEPTED = {row.key(PREFIX.rstrip("/")): row.accepts for row in rows()}
REFERENCES = ("shop/guards-0", "guards-1", "shop/guards-2", "odd-map", "../guards-0", "other/guards-0", "shop/../guards-0")
FEATURES = (
    {"auth-type": "basic", "auth-secret": "guards-0"},
    {"auth-type": "digest", "auth-secret": "shop/guards-1"},
    {"auth-type": "basic", "auth-secret": "guards-2", "auth-secret-type": "auth-map"},
    {"auth-url": "http://web.shop.svc.cluster.local/check?u=$escaped_request_uri", "auth-response-headers": "X-User"},
    {"auth-tls-secret": "shop/guards-0", "auth-tls-match-cn": "CN=x"},
    {"proxy-ssl-secret": "shop/guards-1", "proxy-ssl-verify": "on", "backend-protocol": "HTTPS", "proxy-ssl-name": "a.example"},
    {"backend-protocol": "FCGI", "fastcgi-params-configmap": "odd-map", "fastcgi-index": "index.php"},
    {"custom-headers": "odd-map"},
    {"limit-rps": "5", "limit-rate": "10", "limit-whitelist": "10.0.0.0/8"},
    {"mirror-target": "https://copy.example$request_uri"},
    {"proxy-next-upstream": "error timeout http_503", "proxy-read-timeout": "5"},
    {"configuration-snippet": "proxy_set_header X-A $host;"},
)
"""What makes other texts count, and refers to objects with odd content."""


def referred(chance: random.Random) -> Iterator[KubernetesObject]:
    """Secrets and a ConfigMap that annotations name."""
    pem = self_signed("a.example")
    for number in range(3):
        lines = [f"{chance.choice(PIECES)}:{{PLAIN}}x", f"a:{chance.choice(PIECES)}", "b:{PLAIN}x" + chance.choice(PIECES)]
        content = {"auth": "\n".join(lines).encode() + b"\n\xff\xfe\x00:{PLAIN}x\n", "odd\nkey": b"{PLAIN}x"}
        pair = {"tls_crt": pem, "tls_key": pem + b"\n\nshow env\n"} if number else {}
        end = (b"", b"\n\nshow env\n", b"\xff\x00")[number]
        yield secret(f"shop/guards-{number}", **content, **pair, ca_crt=pem + end, ca_crl=end)
    words = {chance.choice(("SCRIPT_FILENAME", "X-A", "PHP", *PIECES)): chance.choice(PIECES) for _ in range(4)}
    yield ConfigMap(ObjectMeta("odd-map", "shop"), data=words)


def odd_objects(chance: random.Random) -> list[KubernetesObject]:
    names = [row.key(PREFIX.rstrip("/")) for row in rows()]
    made: list[KubernetesObject] = [*referred(chance)]

    def odd() -> str:
        return "".join(chance.choices(PIECES, k=chance.randint(1, 3)))

    def nearly(name: str) -> str:
        """Something that is taken, with something odd at its end, its beginning or in its midst."""
        fine = chance.choice((*ACCEPTED[name], *REFERENCES))
        place = chance.choice((0, len(fine) // 2, len(fine)))
        return chance.choice((fine, fine[:place] + chance.choice(PIECES) + fine[place:]))

    for number in range(150):
        annotations = {name: chance.choice((odd(), nearly(name))) for name in chance.sample(names, 4)}
        if chance.random() < 0.5:
            annotations = {PREFIX + name: value for name, value in chance.choice(FEATURES).items()} | annotations
        annotations |= chance.choice([{}, {PREFIX + "use-regex": "true"}, {PREFIX + "rewrite-target": "/x/$1"}])
        annotations |= chance.choice([{}, {PREFIX + "affinity": "cookie"}])
        paths = [f"/{number}/{odd()}" for _ in range(3)]
        on = chance.choice([f"h{number}.example.com", odd(), f"*.h{number}.example.com"])
        made.append(ingress(f"shop/odd-{number}", rule(on, *paths), annotations=annotations))
    for number, (certificate, key) in enumerate(pairs()):
        on = f"tls{number}.example.com"
        made.append(secret(f"shop/tls-{number}", tls_crt=certificate, tls_key=key))
        made.append(ingress(f"shop/tls-{number}", rule(on, "/"), tls=(IngressTLS((on,), f"tls-{number}"),)))
    return made


def translated(port: int, odd: list[KubernetesObject]) -> Model:
    snapshot = Snapshot()
    pod = endpoint_slice("shop/web", "web", endpoint("127.0.0.1", "a"), ports=(EndpointPort("http", port),))
    fine = ingress("shop/fine", rule("fine.example.com", "/"), annotations={PREFIX + "affinity": "cookie"})
    for one in (ingress_class("nginx"), service("shop/web"), pod, fine, *odd):
        snapshot = snapshot.changed(type(one), {one.key: one})
    return Translator(RoutingSettings(session_key=b"k")).translate(snapshot, None).model


async def test_haproxy_takes_whatever_stands_in_objects_and_serves_the_others(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    layout = Layout(proxy_settings.state_directory)
    await executor.apply(configurator.configure(translated(port, [])))
    for seed in range(3):
        model = translated(port, odd_objects(random.Random(seed)))
        assert {certificate.name for certificate in model.certificates} >= {f"shop/tls-{number}" for number in (0, 1, 2)}
        for wanted in (model, translated(port, []), model):
            outcome = await executor.apply(configurator.configure(wanted))
            assert outcome.kind in (OutcomeKind.RUNTIME, OutcomeKind.RELOAD)
            assert not any("not confirmed" in reason for reason in outcome.reasons), outcome.reasons
            running = await read_running(RuntimeSocket(layout.runtime_socket), layout)
            # A dedicated backend that HAProxy refused is wanted in vain.
            assert outcome.refused or decide(running, configurator.configure(wanted), layout) == Unchanged()
            assert (await client.get("fine.example.com"))[0] == 200
