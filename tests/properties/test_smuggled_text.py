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
from tests.support.kubernetes import PREFIX, endpoint, endpoint_slice, ingress, ingress_class, rule, service

ROUTING = RoutingSettings(session_key=b"k", configmap=NamespacedName("shop", "controller"))
PROXY = ProxySettings(state_directory="/state")
LAYOUT = Layout(PROXY.state_directory)
CONFIGURATOR = Configurator(PROXY)

DIRECTIVES = {"backend", "server", "use-server", "http-request", "http-response", "filter"}
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
)
PROGRAM_WORDS = {line.split()[0] for line in render_program(proxy_settings(PROXY, EVERYTHING), ("X-A",)).split("\n") if line}
"""What lines of the program begin with when every option is on."""

smuggled = st.sampled_from(
    (
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
)
texts = st.one_of(smuggled, st.lists(smuggled, max_size=3).map("".join), st.text(max_size=20))
paths = texts.map(lambda text: f"/{text}")
settings_texts = st.one_of(
    texts,
    st.sampled_from([text for row in setting_rows() for text in (*row.accepts, *row.refuses)]),
    st.tuples(st.sampled_from([text for row in setting_rows() for text in row.accepts]), smuggled).map("".join),
)
annotations = st.dictionaries(st.sampled_from([row.key(PREFIX.rstrip("/")) for row in rows()]), texts, max_size=6)


@st.composite
def ingresses(draw: st.DrawFn) -> Ingress:
    written = draw(annotations)
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


@settings(max_examples=300, deadline=None)
@given(ingresses(), st.dictionaries(st.sampled_from([row.global_key for row in setting_rows()]), settings_texts, max_size=4))
def test_text_stays_text_in_every_file(odd: Ingress, data: dict[str, str]) -> None:
    wanted = configured(odd, ConfigMap(ObjectMeta("controller", "shop"), data=data))
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
