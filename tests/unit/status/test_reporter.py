import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.kube.objects import Ingress, Service
from remora.status import addresses as addresses_module
from remora.status import reporter
from remora.status.addresses import Addresses, PublishSettings, StatusPatch
from remora.status.reporter import Pace, Report, Reporter
from remora.watch.snapshot import Snapshot
from tests.support.api import FakeApi, running_api

SERVICE = NamespacedName("shop", "entry")
FOLLOWS_SERVICE = PublishSettings(service=SERVICE)


class Bench:
    """A reporter over a snapshot that tests change."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.snapshot = Snapshot()
        self.reporter: Reporter

    def add_ingress(self, name: str) -> Ingress:
        stored = self.api.put("ingresses", {"metadata": {"name": name, "namespace": "shop"}})
        ingress = msgspec.convert(stored, Ingress)
        self.snapshot = self.snapshot.changed(Ingress, {ingress.key: ingress})
        return ingress

    def set_address(self, address: str) -> None:
        spec = {"type": "ClusterIP", "clusterIP": address}
        service = msgspec.convert({"metadata": {"name": SERVICE.name, "namespace": SERVICE.namespace}, "spec": spec}, Service)
        self.snapshot = self.snapshot.changed(Service, {service.key: service})


@asynccontextmanager
async def reporting(
    settings: PublishSettings = FOLLOWS_SERVICE, fetch_nodes: Callable[[], Awaitable[tuple[str, ...]]] | None = None
) -> AsyncIterator[Bench]:
    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:
        bench = Bench(api)
        bench.reporter = Reporter(
            client, settings, read_snapshot=lambda: bench.snapshot, instance="pod-1", fetch_nodes=fetch_nodes
        )
        task = asyncio.create_task(bench.reporter.run())
        try:
            yield bench
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _anonymous() -> str:
    return ""


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.005)


async def test_statuses_follow_the_service() -> None:
    async with reporting() as bench:
        refs = tuple(bench.add_ingress(name).ref for name in "abcdef")
        bench.set_address("10.0.0.1")
        bench.reporter.tell(Report(published=refs))
        await until(lambda: len(bench.api.patches) == len(refs))
        bench.set_address("10.0.0.2")
        bench.reporter.tell(Report(published=refs))
        await until(lambda: len(bench.api.patches) == 2 * len(refs))
        path, patch = bench.api.patches[-1]
        assert path.endswith("/status")
        assert patch == {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}]}}}


async def test_only_statuses_of_what_is_new_are_looked_at_until_all_are_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "RETRY", 0.01)
    looked_at: list[set[str]] = []
    decide = addresses_module.decide_patches

    def noting(snapshot: Snapshot, published: tuple[ObjectRef, ...], known: Addresses | None) -> tuple[StatusPatch, ...]:
        looked_at.append({ref.name.name for ref in published})
        return decide(snapshot, published, known)

    monkeypatch.setattr(reporter, "decide_patches", noting)
    async with reporting() as bench:
        a, b, c = (bench.add_ingress(name).ref for name in "abc")
        bench.set_address("10.0.0.1")
        bench.reporter.tell(Report(published=(a,)))
        await until(lambda: looked_at[-1:] == [{"a"}] and len(bench.api.patches) == 1)
        bench.reporter.tell(Report(published=(a, b)))
        await until(lambda: looked_at[-1] == {"b"} and len(bench.api.patches) == 2)
        bench.api.forbidden.add("ingresses")
        bench.reporter.tell(Report(published=(a, b, c)))
        # One that was not written: everything is looked at until it is.
        await until(lambda: {"c"} in looked_at and looked_at[-1] == {"a", "b", "c"})


def addresses(api: FakeApi) -> list[object]:
    statuses = (stored.get("status", {}) for stored in api.objects["ingresses"].values())
    return [address for status in statuses for address in status.get("loadBalancer", {}).get("ingress") or ()]


async def test_the_goodbye_empties_a_status_that_the_cache_has_not_seen_filled() -> None:
    async with reporting() as bench:
        ref = bench.add_ingress("web").ref
        bench.set_address("10.0.0.1")
        bench.reporter.tell(Report(published=(ref,)))
        await until(lambda: bool(addresses(bench.api)))
        await bench.reporter.say_goodbye()
        assert not addresses(bench.api)


async def test_what_is_being_written_is_written_before_the_goodbye() -> None:
    async with reporting() as bench:
        refs = tuple(bench.add_ingress(f"web-{number}").ref for number in range(60))
        bench.set_address("10.0.0.1")
        bench.reporter.tell(Report(published=refs))
        await until(lambda: bool(bench.api.patches))
        await bench.reporter.say_goodbye()
        assert not addresses(bench.api)
        bench.reporter.tell(Report(published=refs))
        await asyncio.sleep(0.05)
        assert not addresses(bench.api)


async def test_nodes_are_asked_for_again_soon_when_no_replica_is_ready_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "RETRY", 0.01)
    answers = iter(((), ("192.0.2.1",)))

    async def fetch_nodes() -> tuple[str, ...]:
        return next(answers, ("192.0.2.1",))

    async with reporting(PublishSettings(), fetch_nodes) as bench:
        bench.reporter.tell(Report(published=(bench.add_ingress("web").ref,)))
        await until(lambda: addresses(bench.api) == [{"ip": "192.0.2.1"}])


async def test_an_event_that_another_replica_recorded_is_no_trouble() -> None:
    async with reporting() as bench:
        ref = bench.add_ingress("web").ref
        problem = Problem(ref, "spec", "Wrong", "is wrong", "left out")
        bench.reporter.tell(Report((problem,)))
        await until(lambda: len(bench.api.objects["events"]) == 1)
        bench.reporter.tell(Report())
        bench.reporter.tell(Report((problem, Problem(ref, "spec", "Other", "is wrong", "left out"))))
        await until(lambda: len(bench.api.objects["events"]) == 2)
        assert {event["reason"] for event in bench.api.objects["events"].values()} == {"Wrong", "Other"}


async def test_an_event_that_is_repeated_is_counted_up_and_not_written_anew() -> None:
    async with reporting() as bench:
        ref = bench.add_ingress("web").ref
        problem = Problem(ref, "spec", "Wrong", "is wrong", "left out")
        for times in (1, 2, 3):
            bench.reporter.tell(Report((problem,)))
            await until(lambda wanted=times: [one["count"] for one in bench.api.objects["events"].values()] == [wanted])  # type: ignore[misc]
            bench.reporter.tell(Report())


async def test_an_event_that_was_forgotten_is_written_again() -> None:
    async with reporting() as bench:
        ref = bench.add_ingress("web").ref
        problem = Problem(ref, "spec", "Wrong", "is wrong", "left out")
        bench.reporter.tell(Report((problem,)))
        await until(lambda: len(bench.api.objects["events"]) == 1)
        ((namespace, name),) = bench.api.objects["events"]
        bench.api.remove("events", namespace, name)
        bench.reporter.tell(Report())
        bench.reporter.tell(Report((problem,)))
        await until(lambda: len(bench.api.objects["events"]) == 1)


def test_a_number_passes_at_once_and_the_rest_in_turn() -> None:
    pace = Pace(at_first=3, per_second=10)
    assert [pace.take(100.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])
    # Two of three have come back.
    assert [pace.take(100.3) for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
