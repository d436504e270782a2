import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
import pytest

from remora.controller.cache import Cache
from remora.controller.loop import Applied, ControlLoop
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.kube.objects import DnsAnswer, EndpointSlice, Ingress, IngressClass, KubernetesObject, ObjectMeta, Service
from remora.kube.reflector import Relisted, Told
from remora.kube.resources import Scope
from remora.kube.wire import Decoder, Unreadable
from remora.plan.outcome import Outcome, OutcomeKind
from remora.translate import Translator
from remora.watch.snapshot import KINDS

SCOPES = {kind: Scope(kind) for kind in KINDS}


class FakeProxy:
    """Takes what is wanted, unless `failures` are left; `error` is raised once."""

    def __init__(self) -> None:
        self.wanted: list[Configuration] = []
        self.failures = 0
        self.error: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def apply(self, wanted: Configuration) -> Outcome:
        await self.may_go_on.wait()
        if error := self.error:
            self.error = None
            raise error
        self.wanted.append(wanted)
        if self.failures:
            self.failures -= 1
            return Outcome(0, OutcomeKind.FAILED, error="no")
        return Outcome(len(self.wanted), OutcomeKind.RUNTIME)


class Bench:
    def __init__(self) -> None:
        self.proxy = FakeProxy()
        self.applied: list[Applied] = []
        self.errors = 0
        self.undisturbed: list[int] = []
        self.names: list[frozenset[str]] = []
        self.cache = Cache(SCOPES.values())
        settings = ProxySettings(state_directory="/nowhere")
        self.loop = ControlLoop(
            self.cache,
            Translator(RoutingSettings(session_key=b"k")),
            Configurator(settings),
            self.proxy,
            tell=self.applied.append,
            tell_failure=self._count,
            ask_names=self.names.append,
            undisturbed=self._undisturbed,
        )

    def _count(self) -> None:
        self.errors += 1

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        yield
        self.undisturbed.append(len(self.applied))

    async def list_all(self, *objects: KubernetesObject, but: type[KubernetesObject] | None = None) -> None:
        for kind in KINDS:
            if kind is not but:
                await self.loop.inbox.put(Relisted(SCOPES[kind], tuple(one for one in objects if isinstance(one, kind))))

    async def change(self, obj: KubernetesObject, event: str = "MODIFIED") -> None:
        await self.loop.inbox.put(Told(SCOPES[type(obj)], event, obj))

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not check():
                await asyncio.sleep(0.002)


@asynccontextmanager
async def looping() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.loop.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _make(kind: type[KubernetesObject], name: str, **fields: Any) -> KubernetesObject:
    labels = {"kubernetes.io/service-name": "web"}
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop", "labels": labels}, **fields}, kind)


def _ingress(name: str, host: str) -> KubernetesObject:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    return _make(Ingress, name, spec={"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [path]}}]})


def _slice(*addresses: str) -> KubernetesObject:
    endpoints = [
        {"addresses": [address], "targetRef": {"kind": "Pod", "name": address, "uid": address}} for address in addresses
    ]
    return _make(EndpointSlice, "web-1", ports=[{"name": "http", "port": 8080}], endpoints=endpoints)


NGINX = msgspec.convert({"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}, IngressClass)
WEB = _make(Service, "web", spec={"ports": [{"port": 80, "name": "http"}]})


async def test_nothing_is_applied_before_every_kind_was_listed() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"), but=Ingress)
        await bench.until(lambda: not bench.loop.inbox.size())
        await asyncio.sleep(0.05)
        assert bench.proxy.wanted == []
        await bench.loop.inbox.put(Relisted(SCOPES[Ingress], (_ingress("a", "a.test"),)))
        await bench.until(lambda: len(bench.applied) == 1)
        assert [host.host for host in bench.applied[0].model.virtual_hosts] == ["a.test"]
        assert [ref.name.name for ref in bench.applied[0].published] == ["a"]


async def test_a_cluster_without_anything_is_applied_as_well() -> None:
    async with looping() as bench:
        await bench.list_all()
        await bench.until(lambda: len(bench.applied) == 1)


async def test_what_changed_is_told_with_what_came_of_it() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        await bench.change(_slice("10.0.0.2"))
        await bench.until(lambda: len(bench.applied) == 2)
        assert bench.applied[0].changes == ()
        assert [change.kind for change in bench.applied[1].changes] == [EndpointSlice]


async def test_a_burst_is_applied_once() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB)
        await bench.until(lambda: len(bench.applied) == 1)
        for number in range(50):
            await bench.change(_ingress(f"i{number}", f"{number}.test"), "ADDED")
        await bench.until(lambda: len(bench.applied) == 2)
        assert len(bench.applied[1].model.virtual_hosts) == 50


async def test_an_endpoint_overtakes_all_that_came_while_the_loop_was_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 10)
    monkeypatch.setattr("remora.controller.loop.MOST_TAKEN", 20)
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        bench.proxy.may_go_on.clear()
        for number in range(40):
            await bench.change(_ingress(f"i{number}", f"{number}.test"), "ADDED")
        await bench.until(lambda: not bench.loop.inbox.size())
        await asyncio.sleep(0.15)  # what waits is overdue
        for number in range(300):
            await bench.change(_ingress(f"more-{number}", f"more-{number}.test"), "ADDED")
        await bench.change(_slice("10.0.0.2"))
        bench.proxy.may_go_on.set()
        await bench.until(lambda: len(bench.applied) > 2)
        assert [one.address for one in bench.applied[2].model.backends[0].endpoints] == ["10.0.0.2"]


async def test_what_does_not_matter_to_routing_is_not_applied() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        await bench.change(_ingress("a", "a.test"))
        await bench.change(_slice("10.0.0.2"))
        await bench.until(lambda: len(bench.applied) == 2)
        assert [one.address for one in bench.applied[1].model.backends[0].endpoints] == ["10.0.0.2"]


async def test_a_service_that_nobody_names_is_told_of_but_not_applied() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        await bench.change(_make(Service, "other", spec={"ports": [{"port": 80}]}), "ADDED")
        await bench.until(lambda: len(bench.applied) == 2)
        assert bench.applied[1].outcome == Outcome(1, OutcomeKind.UNCHANGED)
        assert bench.applied[1].model is bench.applied[0].model
        assert len(bench.proxy.wanted) == 1


async def test_what_makes_everything_anew_is_undisturbed_and_a_change_is_not() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _slice("10.0.0.1"), _ingress("a", "a.example"))
        await bench.until(lambda: len(bench.applied) == 1)
        await bench.change(_slice("10.0.0.2"))
        await bench.until(lambda: len(bench.applied) == 2)
        assert bench.undisturbed == [1]


async def test_a_failed_application_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.controller.loop.FIRST_RETRY", 0.01)
    async with looping() as bench:
        bench.proxy.failures = 2
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 3)
        assert [one.outcome.kind.value for one in bench.applied] == ["failed", "failed", "runtime"]
        assert [len(one.published) for one in bench.applied] == [0, 0, 1]


async def test_what_is_new_is_tried_at_once_after_a_failure_of_a_while_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.controller.loop.FIRST_RETRY", 0.1)
    monkeypatch.setattr("remora.controller.loop.LONGEST_RETRY", 1000.0)
    async with looping() as bench:
        bench.proxy.failures = 14
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        for count in range(1, 15):
            await bench.until(lambda count=count: len(bench.proxy.wanted) >= count)  # type: ignore[misc]
            await bench.change(_ingress("a", f"a{count}.test"))
        await bench.until(lambda: bench.applied[-1].outcome.kind is OutcomeKind.RUNTIME)
    # Doubled each time, the waits alone would take 27 minutes.
    assert [host.host for host in bench.applied[-1].model.virtual_hosts] == ["a14.test"]


async def test_an_error_of_our_own_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.controller.loop.FIRST_RETRY", 0.01)
    async with looping() as bench:
        bench.proxy.error = RuntimeError("a bug")
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        assert bench.errors == 1
        assert len(bench.applied[0].model.virtual_hosts) == 1


async def test_an_object_that_becomes_unreadable_is_a_problem_and_is_gone() -> None:
    bad = Decoder(Ingress).page(b'{"items":[{"metadata":{"name":"a","namespace":"shop"},"spec":1}]}').unreadable[0]
    assert isinstance(bad, Unreadable)
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        await bench.loop.inbox.put(Told(SCOPES[Ingress], "MODIFIED", bad))
        await bench.until(lambda: len(bench.applied) == 2)
        assert bench.applied[1].model.virtual_hosts == ()
        assert bad.problem in bench.applied[1].problems
        await bench.change(_ingress("a", "a.test"))
        await bench.until(lambda: len(bench.applied) == 3)
        assert bad.problem not in bench.applied[2].problems


EXTERNAL = _make(Service, "web", spec={"type": "ExternalName", "externalName": "db.test"})


def _dns_answer(*addresses: str) -> Told:
    return Told(Scope(DnsAnswer), "MODIFIED", DnsAnswer(ObjectMeta("db.test"), addresses))


async def test_what_is_served_first_waits_for_the_names_that_it_needs() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, EXTERNAL, _ingress("a", "a.test"))
        await bench.until(lambda: bench.names == [frozenset(("db.test",))])
        await asyncio.sleep(0.05)
        assert bench.proxy.wanted == []
        await bench.loop.inbox.put(_dns_answer("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        assert [one.address for one in bench.applied[0].model.backends[0].endpoints] == ["10.0.0.1"]


async def test_it_does_not_wait_for_ever() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, EXTERNAL, _ingress("a", "a.test"))
        await bench.until(lambda: len(bench.applied) == 1)
        assert bench.applied[0].model.backends[0].endpoints == ()
        await bench.loop.inbox.put(_dns_answer("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 2)
        assert len(bench.applied[1].model.backends[0].endpoints) == 1


async def test_a_change_tells_how_long_it_waited_also_through_failures_and_a_busy_loop() -> None:
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _slice("10.0.0.1"), _ingress("a", "a.test"))
        await bench.until(lambda: len(bench.applied) == 1)
        assert bench.applied[0].change_seconds is None, "it was there when the controller started"
        bench.proxy.failures = 1
        await bench.change(_slice("10.0.0.2"))
        await bench.until(lambda: len(bench.applied) == 3)
        assert bench.applied[1].change_seconds is None
        # The second attempt comes a second after the first.
        waited = bench.applied[2].change_seconds
        assert waited is not None
        assert waited > 0.9
        await bench.change(_slice("10.0.0.3"))
        await bench.until(lambda: len(bench.applied) == 4)
        later = bench.applied[3].change_seconds
        assert later is not None
        assert 0 < later < waited


async def test_endpoints_overtake_a_crowd_of_ingresses_which_all_come_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 10)
    async with looping() as bench:
        await bench.list_all(NGINX, WEB, _ingress("a", "a.test"), _slice("10.0.0.1"))
        await bench.until(lambda: len(bench.applied) == 1)
        for number in range(100):
            await bench.change(_ingress(f"i{number}", f"{number}.test"), "ADDED")
        await bench.change(_slice("10.0.0.2"))
        await bench.until(lambda: any(one.model.backends[0].endpoints[0].address == "10.0.0.2" for one in bench.applied))
        overtaken = next(one for one in bench.applied if one.model.backends[0].endpoints[0].address == "10.0.0.2")
        assert len(overtaken.model.virtual_hosts) < 101
        await bench.until(lambda: len(bench.applied[-1].model.virtual_hosts) == 101)
        scratch = Translator(RoutingSettings(session_key=b"k")).translate(bench.cache.snapshot, None)
        assert bench.applied[-1].model == scratch.model


async def test_a_crowd_of_broken_ingresses_and_a_flapping_pod_do_not_hold_up_another_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 20)
    broken = [
        msgspec.structs.replace(_ingress(f"i{number}", "no host"), metadata=ObjectMeta(f"i{number}", "noisy"))
        for number in range(1000)
    ]
    async with looping() as bench:
        await bench.list_all(NGINX, WEB)
        await bench.until(lambda: len(bench.applied) == 1)
        for number, one in enumerate(broken):
            bench.cache.take(Told(SCOPES[Ingress], "ADDED", one))
            if number % 10 == 0:
                bench.cache.take(Told(SCOPES[EndpointSlice], "MODIFIED", _slice(f"10.0.0.{number % 250}")))
        await bench.change(_ingress("quiet", "quiet.test"), "ADDED")
        await bench.until(lambda: any(one.model.virtual_hosts for one in bench.applied))
        first = next(one for one in bench.applied if one.model.virtual_hosts)
        assert len({problem.object for problem in first.problems}) < 100
        await bench.until(lambda: len({problem.object for problem in bench.applied[-1].problems}) == 1000)
