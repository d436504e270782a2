import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.status.election import Election, ElectionSettings
from tests.support.api import FakeApi, running_api

KEY = ("ingress-remora", "ingress-controller-leader")


async def _anonymous() -> str:
    return ""


async def _namespace() -> str:
    return KEY[0]


class Replica:
    """One part in the election, and what it told."""

    def __init__(self, client: ApiClient, name: str, *, time_to_live: float = 60.0) -> None:
        self.told: list[bool] = []
        settings = ElectionSettings(time_to_live=time_to_live)
        self.election = Election(
            client, settings, identity=name, find_namespace=_namespace, tell=self.told.append, jitter=lambda: 0.0
        )
        self._task = asyncio.create_task(self.election.run())

    @property
    def leads(self) -> bool:
        return self.election.leads

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def electing() -> AsyncIterator[tuple[FakeApi, Callable[..., Replica]]]:
    replicas: list[Replica] = []
    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:

        def start(name: str, *, time_to_live: float = 60.0) -> Replica:
            replicas.append(Replica(client, name, time_to_live=time_to_live))
            return replicas[-1]

        try:
            yield api, start
        finally:
            for replica in replicas:
                await replica.stop()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.005)


async def test_of_several_replicas_one_leads() -> None:
    async with electing() as (api, start):
        replicas = [start(name) for name in "abc"]
        await until(lambda: any(one.leads for one in replicas) and api.requests.count("watch leases") >= 2)
        assert [one.leads for one in replicas].count(True) == 1
        leader = next(name for name, one in zip("abc", replicas, strict=True) if one.leads)
        assert api.objects["leases"][KEY]["spec"]["holderIdentity"] == leader


async def test_a_leader_that_goes_gives_the_lease_back_and_the_next_has_it_at_once() -> None:
    async with electing() as (api, start):
        first = start("first")
        await until(lambda: first.leads)
        second = start("second")
        await until(lambda: "watch leases" in api.requests)
        await first.stop()
        assert not first.leads
        # The time to live is a minute; who waits for that fails.
        await until(lambda: second.leads)
        assert (first.told, second.told) == ([True, False], [True])


async def test_a_leader_that_died_is_followed_after_the_time_to_live() -> None:
    async with electing() as (api, start):
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 1, "renewTime": "2199-01-01T00:00:00.000000Z"}
        api.put("leases", {"metadata": {"name": KEY[1], "namespace": KEY[0]}, "spec": spec})
        begun = asyncio.get_running_loop().time()
        replica = start("next")
        await until(lambda: replica.leads)
        assert asyncio.get_running_loop().time() - begun >= 1.0
        assert api.objects["leases"][KEY]["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_cannot_renew_leads_no_more() -> None:
    async with electing() as (api, start):
        replica = start("only", time_to_live=1.0)
        await until(lambda: replica.leads)
        api.forbidden.add("leases")
        await until(lambda: replica.told == [True, False])
        api.forbidden.clear()
        await until(lambda: replica.leads)


async def test_who_may_not_watch_the_lease_looks_at_it_again_and_again() -> None:
    async with electing() as (api, start):
        first = start("first")
        await until(lambda: first.leads)
        api.may = lambda access: access.verb != "watch"
        second = start("second", time_to_live=1.0)
        await until(lambda: bool(api.denied))
        await first.stop()
        await until(lambda: second.leads)


async def test_who_takes_no_part_never_leads() -> None:
    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:
        settings = ElectionSettings(is_enabled=False)
        told: list[bool] = []
        election = Election(client, settings, identity="a", find_namespace=_namespace, tell=told.append, jitter=lambda: 0.0)
        await election.run()
        assert not election.leads
        assert told == []
        assert not api.objects["leases"]
