"""Translating what changed gives what translating everything gives, whatever happened and in whatever order."""

import random
from collections import Counter
from collections.abc import Sequence
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator, configure
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.haproxy.pool import Slot
from remora.kube.objects import ConfigMap, DnsAnswer, IngressRule, IngressTLS, KubernetesObject, ObjectMeta, ServicePort
from remora.model import Model
from remora.plan.decide import Reload, RuntimeUpdate, Unchanged, decide, started
from remora.plan.entries import all_entries
from remora.plan.running import Running
from remora.translate import Translation, Translator
from remora.watch.store import EventType, Store
from tests.support.kubernetes import (
    drained_pod,
    endpoint,
    endpoint_slice,
    ingress,
    ingress_class,
    rule,
    secret,
    service,
    service_backend,
)

SETTINGS = RoutingSettings(
    session_key=b"k",
    zone="a",
    configmap=NamespacedName("shop", "controller"),
    default_backend_service=NamespacedName("shop", "web"),
    default_ssl_certificate=NamespacedName("shop", "tls-0"),
)

PROXY = ProxySettings(state_directory="/state")
LAYOUT = Layout("/state")
SLOTTED = (Map.SERVERS, Map.UPSTREAM_FILES)
"""Maps with entries by slot, which `Running.servers` stands for, and the one that keeps what is not needed any more."""

small = st.integers(0, 2)
hosts = st.sampled_from(["a.example.com", "b.example.com", "*.example.com", ""])
paths = st.sampled_from(["/", "/x", "/x/", "/p(/|$)(.*)", "/(", ""])
services = st.sampled_from(["web", "api"])
annotations = st.dictionaries(
    st.sampled_from(
        [
            "affinity",
            "affinity-mode",
            "rewrite-target",
            "use-regex",
            "app-root",
            "canary",
            "auth-type",
            "ssl-redirect",
            "load-balance",
            "server-alias",
            "from-to-www-redirect",
            "custom-headers",
            "service-upstream",
            "custom-http-errors",
            "default-backend",
            "remora.io/session-keep-unready",
        ]
    ),
    st.sampled_from(
        [
            "cookie",
            "persistent",
            "/$2",
            "/",
            "true",
            "false",
            "basic",
            "ewma",
            "b.example.com,.example.com",
            "shop/controller",
            "api",
            "404,503",
        ]
    ),
    max_size=3,
)


@st.composite
def rules(draw: st.DrawFn) -> IngressRule:
    path_type = draw(st.sampled_from(["Prefix", "Exact", "ImplementationSpecific"]))
    chosen = draw(st.lists(paths, max_size=2))
    return rule(
        draw(hosts), *chosen, service=draw(services), port=draw(st.one_of(st.just(80), st.just("http"))), path_type=path_type
    )


@st.composite
def ingresses(draw: st.DrawFn) -> KubernetesObject:
    tls = st.builds(
        IngressTLS, hosts=st.lists(hosts, max_size=1).map(tuple), secret_name=st.sampled_from(["tls-0", "tls-1", ""])
    )
    return ingress(
        f"{draw(st.sampled_from(['shop', 'other']))}/i{draw(small)}",
        *draw(st.lists(rules(), max_size=2)),
        annotations=draw(annotations),
        created=f"2026-01-01T00:00:0{draw(small)}Z",
        class_name=draw(st.sampled_from(["nginx", "remora", None])),
        tls=tuple(draw(st.lists(tls, max_size=1))),
        default=draw(st.sampled_from([None, service_backend("web")])),
    )


@st.composite
def slices(draw: st.DrawFn) -> KubernetesObject:
    found = [
        endpoint(f"10.0.0.{number}", f"pod-{number}", ready=draw(st.booleans()), terminating=draw(st.booleans()))
        for number in draw(st.sets(st.integers(1, 4)))
    ]
    return endpoint_slice(f"shop/slice-{draw(small)}", draw(services), *found)


others = st.one_of(
    st.builds(ingress_class, st.sampled_from(["nginx", "remora"]), st.sampled_from(["k8s.io/ingress-nginx", "strange"])),
    st.builds(
        lambda name, port: service(f"shop/{name}", ServicePort(port, "http", target_port=8080)),
        services,
        st.sampled_from([80, 81]),
    ),
    st.builds(
        lambda name, to: service(f"shop/{name}", type="ExternalName", external_name=to),
        services,
        st.sampled_from(["db.example", "api.example", "localhost"]),
    ),
    st.builds(
        lambda name, address: service(f"shop/{name}", cluster_ip=address, traffic_distribution="PreferClose"),
        services,
        st.sampled_from(["10.96.0.1", "None"]),
    ),
    st.builds(
        lambda name, addresses: DnsAnswer(ObjectMeta(name), tuple(addresses), "" if addresses else "gone"),
        st.sampled_from(["db.example", "api.example"]),
        st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), max_size=2, unique=True),
    ),
    st.builds(
        lambda pod, drain: drained_pod(f"shop/pod-{pod}", drain), st.integers(1, 4), st.sampled_from(["true", "false", "?"])
    ),
    st.builds(lambda number: secret(f"shop/tls-{number}", tls_crt=b"rubbish"), small),
    st.builds(
        lambda value: ConfigMap(ObjectMeta("controller", "shop"), data={"ssl-redirect": value}),
        st.sampled_from(["true", "false", "rubbish"]),
    ),
)
objects = st.one_of(ingresses(), ingresses(), slices(), others)
events = st.lists(st.tuples(st.sampled_from(EventType), objects), max_size=8)


def fresh(store: Store) -> Translation:
    return Translator(SETTINGS).translate(store.snapshot, None)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, min_size=1, max_size=8))
def test_following_changes_equals_starting_anew(batches: list[list[tuple[EventType, KubernetesObject]]]) -> None:
    store = Store()
    translator = Translator(SETTINGS)
    for batch in batches:
        for event, obj in batch:
            store.apply(event, obj)
        assert translator.translate(store.snapshot, store.take_changes()) == fresh(store)


claimants = st.builds(
    lambda number, path, path_type, given, second: ingress(
        f"shop/i{number}",
        rule("a.example.com", path, path_type=path_type),
        annotations=given,
        created=f"2026-01-01T00:00:0{second}Z",
    ),
    st.integers(0, 5),
    st.sampled_from(["/", "/x", "/x/", "/("]),
    st.sampled_from(["Prefix", "Exact"]),
    st.sampled_from([{}, {}, {"app-root": "/there"}, {"canary": "true"}, {"use-regex": "true"}]),
    small,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.just(EventType.ADDED), claimants), min_size=3, max_size=6), min_size=1, max_size=3))
def test_setting_those_apart_that_cannot_win_changes_nothing(batches: list[list[tuple[EventType, KubernetesObject]]]) -> None:
    store, translator = Store(), Translator(SETTINGS)
    store.apply(EventType.ADDED, ingress_class("nginx"))
    for batch in batches:
        for event, obj in batch:
            store.apply(event, obj)
        usual = fresh(store)
        with patch("remora.translate.crowds.CROWD", 0):
            followed = translator.translate(store.snapshot, store.take_changes())
            assert followed == fresh(store)
        assert (followed.model, followed.published) == (usual.model, usual.published)
        assert Counter(followed.problems) == Counter(usual.problems)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, min_size=1, max_size=6))
def test_configuring_and_deciding_by_what_changed_ends_where_a_cold_start_would(
    batches: list[list[tuple[EventType, KubernetesObject]]],
) -> None:
    store = Store()
    translator, configurator = Translator(SETTINGS), Configurator(PROXY)
    running = started(configure(Model(), PROXY))
    for batch in batches:
        for event, obj in batch:
            store.apply(event, obj)
        wanted = translator.translate(store.snapshot, store.take_changes()).model
        configuration, cold = configurator.configure(wanted), configure(fresh(store).model, PROXY)
        assert configuration == cold
        plan = decide(running, configuration, LAYOUT)
        running = plan.after if isinstance(plan, RuntimeUpdate) else started(cold) if isinstance(plan, Reload) else running
        assert decide(running, cold, LAYOUT) == Unchanged()
        assert all(entries_of(running, name) == entries_of(started(cold), name) for name in Map if name not in SLOTTED)


def entries_of(running: Running, name: Map) -> dict[str, str]:
    """A map's entries with backends where it has slots, which depend on what was before."""
    unslotted = msgspec.structs.replace(running, slots={backend: Slot(backend) for backend in running.slots})
    return dict(all_entries(unslotted, name))


@settings(max_examples=60, deadline=None)
@given(st.lists(objects, max_size=14), st.randoms(use_true_random=False))
def test_order_of_arrival_means_nothing(arriving: Sequence[KubernetesObject], chance: random.Random) -> None:
    unique = list({(type(obj), obj.key): obj for obj in arriving}.values())
    shuffled = list(unique)
    chance.shuffle(shuffled)
    first, second = Store(), Store()
    for obj in unique:
        first.apply(EventType.ADDED, obj)
    for obj in shuffled:
        second.apply(EventType.ADDED, obj)
    assert fresh(first) == fresh(second)


@settings(max_examples=60, deadline=None)
@given(events, events)
def test_what_did_not_change_is_the_same_object(
    before: list[tuple[EventType, KubernetesObject]], after: list[tuple[EventType, KubernetesObject]]
) -> None:
    store = Store()
    translator = Translator(SETTINGS)
    for event, obj in before:
        store.apply(event, obj)
    first = translator.translate(store.snapshot, None)
    store.take_changes()
    for event, obj in after:
        store.apply(event, obj)
    second = translator.translate(store.snapshot, store.take_changes())
    known = {one.name: one for one in first.model.backends}
    assert all(known[one.name] is one for one in second.model.backends if known.get(one.name) == one)
    hosts_known = {one.host: one for one in first.model.virtual_hosts}
    equal = [one for one in second.model.virtual_hosts if hosts_known.get(one.host) == one]
    assert all(hosts_known[one.host] is one for one in equal)
    if first.model == second.model:
        assert first.model is second.model
