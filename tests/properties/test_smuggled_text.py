"""No text in an object becomes a directive, another entry or another line of what HAProxy reads."""

from hypothesis import given, settings
from hypothesis import strategies as st

from remora.annotations.registry import rows, setting_rows
from remora.core.names import NamespacedName
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings, RoutingSettings, proxy_settings
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.haproxy.program import render_program
from remora.kube.objects import ConfigMap, Ingress, KubernetesObject, ObjectMeta
from remora.plan.commands import PAYLOAD_BYTES
from remora.plan.decide import started
from remora.plan.entries import all_entries
from remora.plan.files import render_files
from remora.translate import Translator
from remora.watch.snapshot import Snapshot
from tests.support.certificates import self_signed
from tests.support.kubernetes import PREFIX, endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service

ROUTING = RoutingSettings(session_key=b"k", configmap=NamespacedName("shop", "controller"))
PROXY = ProxySettings(state_directory="/state")
LAYOUT = Layout(PROXY.state_directory)
CONFIGURATOR = Configurator(PROXY)

DIRECTIVES = {"backend", "server", "use-server", "http-request", "http-response", "filter"}
DIRECTIVES |= {"retries", "retry-on"}
DIRECTIVES |= {"fcgi-app", "docroot", "pass-header", "index", "set-param", "use-fcgi-app"}
"""What stands in the part of the configuration that follows the cluster."""

EVERYTHING = ProxyOptions(
    worker_processes=2,
    max_worker_connections=1,
    keep_alive=0,
    large_client_header_buffers=65536,
    use_http2=False,
    use_proxy_protocol=True,
    use_forwarded_headers=True,
    proxy_real_ip_cidr=("10.0.0.0/8",),
    block_cidrs=("10.0.0.0/8",),
    use_gzip=True,
    ssl_ecdh_curve="P-256",
    ssl_session_cache=False,
    disable_access_log=False,
    otlp_collector_host="collector.example",
)
PROGRAM_WORDS = {line.split()[0] for line in render_program(proxy_settings(PROXY, EVERYTHING), ("X-A",)).split("\n") if line}
"""What lines of the program begin with when every option is on."""

SMUGGLED: tuple[str, ...] = (
    *(
        "\n    http-request deny",
        "\r\nX: y",
        "a b",
        "a\tb",
        "a # b",
        "a'b",
        'a"b',
        "a\\",
        "}",
        "%[src]",
        "%%",
        "$HOME",
        "${X}",
    ),
    *(
        "a|b",
        "a;b",
        "\x00",
        "\x1b[0m",
        "\u2028",
        "\u0085",
        "\ud7ff",
        "é" * 2000,
        "x" * 20_000,
        "/" * 5000,
        " " * 3000,
        "<<",
    ),
    *("/a\n!", "/(", "/[", "/(?i)", "/a{1,99999}", "/$1", "-", "!", "*", "..", "//!", "/%00", "/\\Q", "/a\\", "a\u00a0b"),
)
smuggled = st.integers(0, len(SMUGGLED) - 1).map(lambda number: SMUGGLED[number])
texts = st.one_of(smuggled, st.lists(smuggled, max_size=3).map("".join), st.text(max_size=20))
paths = texts.map(lambda text: f"/{text}")
settings_texts = st.one_of(
    texts,
    st.sampled_from([text for row in setting_rows() for text in (*row.accepts, *row.refuses)]),
    st.tuples(st.sampled_from([text for row in setting_rows() for text in row.accepts]), smuggled).map("".join),
)
NAMES = ("shop/odd-secret", "odd-secret", "shop/odd-map", "odd-map", "other/odd-secret", "../odd-secret", "shop/../odd-secret")
written_texts = {
    row.key(PREFIX.rstrip("/")): st.one_of(
        texts,
        st.sampled_from((*row.accepts, *NAMES, "true")),
        st.tuples(st.sampled_from((*row.accepts, *NAMES)), smuggled).map("".join),
        st.tuples(smuggled, st.sampled_from((*row.accepts, *NAMES))).map("".join),
    )
    for row in rows()
}
annotations = st.lists(st.sampled_from(sorted(written_texts)), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: written_texts[name] for name in names})
)
GUARDS = (
    {"auth-type": "basic", "auth-secret": "odd-secret", "auth-realm": "x"},
    {"auth-type": "digest", "auth-secret": "shop/odd-secret"},
    {"auth-url": "http://web.shop.svc.cluster.local/check?u=$escaped_request_uri", "auth-response-headers": "X-User"},
    {"auth-tls-secret": "shop/odd-secret", "auth-tls-match-cn": "CN=x"},
    {"proxy-ssl-secret": "shop/odd-secret", "proxy-ssl-verify": "on", "backend-protocol": "HTTPS"},
    {"backend-protocol": "FCGI", "fastcgi-params-configmap": "odd-map", "fastcgi-index": "index.php"},
    {"custom-headers": "odd-map"},
    {"limit-rps": "5", "limit-rate": "10", "limit-whitelist": "10.0.0.0/8"},
    {"mirror-target": "https://copy.example$request_uri"},
    {"canary": "true", "canary-by-header": "X-A", "canary-by-header-pattern": "a"},
)
"""What makes the other texts count, and what refers to the odd objects."""


PEM = self_signed("web.example")


@st.composite
def odd_objects(draw: st.DrawFn) -> list[KubernetesObject]:
    """Secrets and ConfigMaps that annotations refer to, with anything in them."""
    raw = st.one_of(texts.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=30), st.just(PEM))
    line = st.one_of(texts, texts.map(lambda text: f"user:{text}"), texts.map(lambda text: f"{text}:{{PLAIN}}x"))
    file = st.lists(line, max_size=3).map("\n".join).map(lambda text: text.encode("utf-8", "replace"))
    data = {"auth": draw(st.one_of(file, raw)), "ca.crt": draw(raw), "ca.crl": draw(raw)}
    data |= {"tls.crt": draw(raw), "tls.key": draw(raw)}
    kept = draw(st.sets(st.sampled_from(sorted(data))))
    words = st.dictionaries(st.one_of(texts, st.sampled_from(("SCRIPT_FILENAME", "X-A"))), texts, max_size=3)
    return [
        secret("shop/odd-secret", **{name.replace(".", "_"): data[name] for name in sorted(kept)}),
        ConfigMap(ObjectMeta("odd-map", "shop"), data=draw(words)),
    ]


@st.composite
def ingresses(draw: st.DrawFn) -> Ingress:
    written = draw(annotations)
    for guard in draw(st.lists(st.sampled_from(GUARDS), max_size=2)):
        written = {PREFIX + name: value for name, value in guard.items()} | written
    for name, value in (("affinity", "cookie"), ("use-regex", "true"), ("rewrite-target", "/x/$2/$1")):
        if draw(st.booleans()):
            written[PREFIX + name] = value
    kind = draw(st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]))
    hosts = draw(texts), "fine.example.com"
    found = draw(st.lists(paths, min_size=1, max_size=3))
    return ingress("shop/odd", *(rule(host, *found, path_type=kind) for host in hosts), annotations=written)


def configured(*objects: KubernetesObject) -> Configuration:
    snapshot = Snapshot()
    base = (ingress_class("nginx"), service("shop/web"), endpoint_slice("shop/web", "web", endpoint("10.0.0.1", "a")))
    for one in (*base, *objects):
        snapshot = snapshot.changed(type(one), {one.key: one})
    return CONFIGURATOR.configure(Translator(ROUTING).translate(snapshot, None).model)


@settings(max_examples=250, deadline=None)
@given(
    ingresses(),
    st.dictionaries(st.sampled_from([row.global_key for row in setting_rows()]), settings_texts, max_size=4),
    odd_objects(),
)
def test_text_stays_text_in_every_file(odd: Ingress, data: dict[str, str], others: list[KubernetesObject]) -> None:
    wanted = configured(odd, *others, ConfigMap(ObjectMeta("controller", "shop"), data=data))
    running = started(wanted)
    files = render_files(wanted, running, LAYOUT)
    program = files[LAYOUT.program].decode()
    assert {line.split()[0] for line in program.split("\n") if line} <= PROGRAM_WORDS
    lines = files[LAYOUT.backends].decode().split("\n")
    assert {line.split()[0] for line in lines if line} <= DIRECTIVES
    for name in Map:
        content = files[LAYOUT.map(name)]
        if name is Map.SERVERS:
            continue
        entries = [(key, value) for key, value in all_entries(running, name)]
        assert content.decode().split("\n")[:-1] == [f"{key} {value}" for key, value in entries]
        for key, value in entries:
            assert key
            assert not any(character <= " " or character == "\x7f" for character in key)
            assert not any(character < " " or character == "\x7f" for character in value)
            assert value == value.strip()
            assert len(f"{key} {value}".encode()) <= PAYLOAD_BYTES
