"""Every kind of Service, from its objects to requests through the real HAProxy."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from remora.apply.executor import Executor
from remora.controller.cache import Cache
from remora.controller.loop import Applied, ControlLoop
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.kube.objects import Endpoint, EndpointPort, EndpointSlice, KubernetesObject, ServicePort
from remora.kube.objects.endpointslice import EndpointHints, ForZone
from remora.kube.reflector import Relisted, Told
from remora.kube.resources import Scope
from remora.plan.outcome import OutcomeKind
from remora.resolve.lookup import Lookup, ResolverSettings
from remora.resolve.resolver import Resolver
from remora.translate import Translator
from remora.watch.snapshot import KINDS
from tests.support.dns import DnsServer, dns_server
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, service
from tests.support.proxy import Client, Pods

SCOPES = {kind: Scope(kind) for kind in KINDS}
STICKY = {"affinity": "cookie", "affinity-mode": "persistent"}


class Bench:
    """The controller's loop without an API server: tests tell it of objects themselves."""

    def __init__(self, executor: Executor, settings: ProxySettings, server: DnsServer) -> None:
        self.server = server
        self.outcomes: list[OutcomeKind] = []
        cache = Cache(SCOPES.values())
        self.loop = ControlLoop(
            cache,
            Translator(RoutingSettings(session_key=b"k", zone="a")),
            Configurator(settings),
            executor,
            tell=self._tell,
            tell_failure=lambda: None,
            ask_names=lambda names: self.resolver.want(names),
        )
        lookup = Lookup(
            ResolverSettings(servers=(("127.0.0.1", server.port),), resolv_conf="/dev/null", hosts_file="/dev/null")
        )
        self.resolver = Resolver(lookup, sink=self.loop.inbox.put)

    async def start(self, *objects: KubernetesObject) -> None:
        known = (ingress_class("nginx"), *objects)
        for kind in KINDS:
            await self.loop.inbox.put(Relisted(SCOPES[kind], tuple(one for one in known if isinstance(one, kind))))

    async def change(self, obj: KubernetesObject, event: str = "MODIFIED") -> None:
        await self.loop.inbox.put(Told(SCOPES[type(obj)], event, obj))

    def _tell(self, applied: Applied) -> None:
        self.outcomes.append(applied.outcome.kind)


@pytest.fixture
async def bench(executor: Executor, proxy_settings: ProxySettings) -> AsyncIterator[Bench]:
    async with dns_server() as server:
        bench = Bench(executor, proxy_settings, server)
        tasks = [asyncio.create_task(bench.loop.run()), asyncio.create_task(bench.resolver.run())]
        try:
            yield bench
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await check():
            await asyncio.sleep(0.02)


async def reached(client: Client, path: str = "/", *, times: int = 6, host: str = "web.example") -> set[str]:
    """The pods that answered, or the status of what did not."""
    answers = [await client.get(host, path) for _ in range(times)]
    return {json.loads(body)["pod"] if status == 200 else str(status) for status, _, body in answers}


async def until_reached(client: Client, pods: set[str], path: str = "/") -> None:
    async def check() -> bool:
        try:
            return await reached(client, path) == pods
        except aiohttp.ClientError:
            return False

    await eventually(check)


def slice_of(name: str, port: int, *endpoints: Endpoint) -> EndpointSlice:
    return endpoint_slice(f"shop/{name}-1", name, *endpoints, ports=(EndpointPort("http", port),))


async def test_an_external_name_is_followed_without_a_reload(bench: Bench, client: Client, pods: Pods) -> None:
    port = await pods.start("elsewhere")
    bench.server.records = {("db.example.", "A"): ("127.0.0.2",)}
    external = service("shop/db", ServicePort(80, "http", target_port=port), type="ExternalName", external_name="db.example")
    await bench.start(external, ingress("shop/web", rule("web.example", "/", service="db")))
    # Nobody listens at that address.
    await until_reached(client, {"503"})
    bench.server.records = {("db.example.", "A"): ("127.0.0.1",)}
    await until_reached(client, {"elsewhere"})
    bench.server.records = {}
    asked = len(bench.server.asked)

    async def is_asked_again() -> bool:
        return len(bench.server.asked) > asked + 1

    await eventually(is_asked_again)
    assert await reached(client) == {"elsewhere"}, "the addresses of a name that vanishes are used for a while"
    assert bench.outcomes == [OutcomeKind.START, OutcomeKind.RUNTIME]


async def test_names_are_known_before_anything_is_served(bench: Bench, client: Client, pods: Pods) -> None:
    port = await pods.start("elsewhere")
    bench.server.records = {("db.example.", "A"): ("127.0.0.1",)}
    external = service("shop/db", ServicePort(80, "http", target_port=port), type="ExternalName", external_name="db.example")
    await bench.start(external, ingress("shop/web", rule("web.example", "/", service="db")))

    async def is_applied() -> bool:
        return bool(bench.outcomes)

    await eventually(is_applied)
    assert await reached(client) == {"elsewhere"}
    assert len(bench.outcomes) == 1


async def test_a_name_that_is_refused_or_unknown_is_503_and_soon_there_once_it_exists(
    bench: Bench, client: Client, pods: Pods
) -> None:
    port = await pods.start("elsewhere")
    target = ServicePort(80, "http", target_port=port)
    names = {"own": "localhost", "ip": "127.0.0.1", "gone": "gone.example"}
    services = [service(f"shop/{name}", target, type="ExternalName", external_name=to) for name, to in names.items()]
    rules = [rule("web.example", f"/{name}", service=name) for name in names]
    await bench.start(*services, ingress("shop/web", *rules))
    for name in names:
        await until_reached(client, {"503"}, f"/{name}")
    asked = {name for name, _ in bench.server.asked}
    assert asked == {"gone.example."}
    renamed = service("shop/own", target, type="ExternalName", external_name="new.example")
    bench.server.records = {("new.example.", "A"): ("127.0.0.1",)}
    await bench.change(renamed)
    await until_reached(client, {"elsewhere"}, "/own")


async def test_a_service_is_reached_at_its_own_address_by_those_who_ask_for_it(
    bench: Bench, client: Client, pods: Pods
) -> None:
    at_service, at_pod = await pods.start("service"), await pods.start("pod")
    web = service("shop/web", ServicePort(at_service, "http", target_port=at_pod), cluster_ip="127.0.0.1")
    own = {"service-upstream": "true"}
    await bench.start(
        web,
        slice_of("web", at_pod, endpoint("127.0.0.1", "pod")),
        ingress("shop/a", rule("web.example", "/pods", port="http")),
        ingress("shop/b", rule("web.example", "/service", port="http"), annotations=own),
        ingress("shop/c", rule("web.example", "/number", port=at_service), annotations={**own, **STICKY}),
    )
    await until_reached(client, {"pod"}, "/pods")
    assert await reached(client, "/service") == {"service"}
    assert await reached(client, "/number") == {"service"}
    status, headers, _ = await client.get("web.example", "/number")
    assert status == 200
    assert headers["set-cookie"].startswith("INGRESSCOOKIE=")


async def test_only_near_pods_are_used_until_none_is_left(bench: Bench, client: Client, pods: Pods) -> None:
    ports = {zone: await pods.start(zone) for zone in "ab"}

    def in_zone(zone: str, *, ready: bool = True) -> EndpointSlice:
        hints = EndpointHints(for_zones=(ForZone(zone),))
        bare = endpoint("127.0.0.1", zone, ready=ready)
        hinted = Endpoint(bare.addresses, bare.conditions, bare.target_ref, zone, hints)
        return endpoint_slice(f"shop/web-{zone}", "web", hinted, ports=(EndpointPort("http", ports[zone]),))

    web = service("shop/web", ServicePort(80, "http"))
    web.metadata.annotations["service.kubernetes.io/topology-mode"] = "Auto"
    await bench.start(web, in_zone("a"), in_zone("b"), ingress("shop/web", rule("web.example", "/")))
    await until_reached(client, {"a"})
    await bench.change(in_zone("a", ready=False))
    await until_reached(client, {"b"})


async def test_pods_of_headless_services_slices_without_ports_and_unready_ones(
    bench: Bench, client: Client, pods: Pods
) -> None:
    one, other = await pods.start("one"), await pods.start("other")
    by_number = ServicePort(80, "http", target_port=other)
    await bench.start(
        service("shop/headless", cluster_ip="None"),
        slice_of("headless", one, endpoint("127.0.0.1", "one")),
        service("shop/manual", by_number),
        endpoint_slice("shop/manual-1", "manual", endpoint("127.0.0.1"), ports=()),
        service("shop/going"),
        slice_of("going", one, endpoint("127.0.0.1", "one", ready=False, serving=True, terminating=True)),
        service("shop/unready"),
        slice_of("unready", one, endpoint("127.0.0.1", "one", ready=False)),
        ingress("shop/a", *(rule("web.example", f"/{name}", service=name) for name in ("headless", "manual", "unready"))),
        ingress("shop/b", rule("web.example", "/going", service="going"), rule("web.example", "/none", service="none")),
    )
    await until_reached(client, {"one"}, "/headless")
    assert await reached(client, "/manual") == {"other"}
    assert await reached(client, "/going") == {"one"}
    assert await reached(client, "/unready") == {"503"}
    assert await reached(client, "/none") == {"503"}
