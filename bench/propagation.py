"""How long a change takes from the API server to traffic, with 100, 3,000 and 10,000 routes, idle and while other Ingresses
change ten times a second; and beside Traefik, which reads the same objects.

    python bench/propagation.py [--counts 100 3000 10000] [--changes 50] [--traefik 4] [--output DIRECTORY]

Each change is timed from the moment at which it is sent to the API server, and from that at which a watch of our own, on the
same kind, tells of it; both until a request through the proxy is answered as it should be from then on. Requests go on
without a pause, so what is found late is what was late. Wall time depends on what else the machine does.
"""

import argparse
import asyncio
import json
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import fleet
from bench.api_load import Api, Connection, percentile
from bench.control import HOST, Control, answering_pod, controller, filled_api, post, put, traefik
from bench.measuring import machine, say, version_of
from bench.peers.traefik import Traefik
from bench.propagation_report import CERTIFICATE, GONE, READY, ROUTE, Found, render, write
from bench.scale import INGRESSES, SLICES, settled
from tests.support.certificates import self_signed

CHURN = 0.1
"""Seconds between two changes of strangers."""
LONG_ENOUGH = 10.0
"""Seconds for changes of one kind, after which those that were made have to do."""
LONGEST_BESIDE = 25.0
"""Seconds for all changes of a peer, begun questions apart."""
SECURE_HOST, SECRET = "secure.example.com", "secure"
SECRETS = "/api/v1/namespaces/default/secrets"


class Watcher:
    """When the API server told of what, by the object's name and its resourceVersion or deletion."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    async def run(self, api: Api, path: str, since: str) -> None:
        connection = await api.connect()
        async for line in connection.stream(f"{path}?watch=true&resourceVersion={since}"):
            now = time.perf_counter()
            name = line.partition(b'"name":"')[2].partition(b'"')[0].decode()
            # The first event is the change; what follows may be the status that the controller writes.
            self.told.setdefault(name, now)


class Trial:
    """Changes one thing after another, and times each."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._from_sending: list[float] = []
        self._from_event: list[float] = []
        self._wrong = 0

    async def time(self, name: str, change: Callable[[], Awaitable[None]], done: Awaitable[int]) -> None:
        """One change of the object of that name, and what is over when it is in force, with how many answers were wrong."""
        self._watcher.told.pop(name, None)
        waiting = asyncio.ensure_future(done)
        try:
            await asyncio.sleep(0.02)
            began = time.perf_counter()
            await change()
            self._wrong += await waiting
        finally:
            waiting.cancel()
        ended = time.perf_counter()
        while name not in self._watcher.told:
            await asyncio.sleep(0.001)
        self._from_sending.append(ended - began)
        self._from_event.append(ended - self._watcher.told[name])

    def found(self, peer: str, count: int, what: str, *, churn: bool) -> Found:
        """Percentiles of what was seen, in milliseconds."""
        sending, event = (
            tuple(percentile(some, share) * 1e3 for share in (0.5, 0.99)) for some in (self._from_sending, self._from_event)
        )
        return Found(peer, count, churn, what, len(self._from_event), sending, event, self._wrong)


@asynccontextmanager
async def churning(api: Api, count: int) -> AsyncIterator[None]:
    """Meanwhile an Ingress of a stranger changes again and again."""
    connection = await api.connect()

    async def churn() -> None:
        for number in range(1 << 30):
            stranger = 1 + number % (count - 1)
            await put(connection, INGRESSES, fleet.ingress(stranger, host=f"churn-{number}.example.com"))
            await asyncio.sleep(CHURN)

    task = asyncio.create_task(churn())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        connection.close()


@asynccontextmanager
async def watching(api: Api, connection: Connection, path: str) -> AsyncIterator[Watcher]:
    """A watch of our own."""
    body = json.loads(await connection.ask("GET", f"{path}?limit=1"))
    watcher = Watcher()
    task = asyncio.create_task(watcher.run(api, path, body["metadata"]["resourceVersion"]))
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Stand:
    """Who is asked, and with what."""

    def __init__(self, name: str, control: Control, api: Api, connection: Connection, *, count: int, pod: int) -> None:
        self.name, self.count = name, count
        self._control, self._api, self._connection, self._pod = control, api, connection, pod

    def _turns(self, changes: int) -> Iterator[int]:
        """Numbers of changes, fewer for whoever is slow: what a peer takes minutes for is seen in one."""
        began = time.monotonic()
        for number in range(changes):
            if number and time.monotonic() - began > LONG_ENOUGH:
                return
            yield number

    async def routes(self, changes: int, *, churn: bool) -> list[Found]:
        """An Ingress more, again and again."""
        connection = self._connection
        async with watching(self._api, connection, INGRESSES) as watcher:
            trial = Trial(watcher)
            for turn in self._turns(changes):
                number = 1_000_000 + turn
                obj = fleet.ingress(number, service="app-0")
                name = obj["metadata"]["name"]
                done = self._control.until(fleet.host_of(number), lambda status: status == 200, before=404)
                await trial.time(name, lambda made=obj: post(connection, INGRESSES, made), done)  # type: ignore[misc]
                await connection.ask("DELETE", f"{INGRESSES}/{name}")
        return [trial.found(self.name, self.count, ROUTE, churn=churn)]

    async def pods(self, changes: int, *, churn: bool) -> list[Found]:
        """The one Service's pods go, and come again."""
        name, host, connection = "app-0-abcde", fleet.host_of(0), self._connection
        nobody = fleet.endpoint_slice(0, pods=0)
        somebody = fleet.endpoint_slice(0, address=HOST, port=self._pod)
        async with watching(self._api, connection, SLICES) as watcher:
            ready, gone = Trial(watcher), Trial(watcher)
            for _ in self._turns(changes):
                none = self._control.until(host, lambda status: status == 503, before=200)
                await gone.time(name, lambda: put(connection, SLICES, nobody), none)
                some = self._control.until(host, lambda status: status == 200, before=503)
                await ready.time(name, lambda: put(connection, SLICES, somebody), some)
        found = ((ready, READY), (gone, GONE))
        return [trial.found(self.name, self.count, what, churn=churn) for trial, what in found]

    async def certificates(self, changes: int, *, churn: bool) -> list[Found]:
        """A Secret gets another certificate, as when one is renewed."""
        connection = self._connection
        async with watching(self._api, connection, SECRETS) as watcher:
            trial = Trial(watcher)
            for _ in self._turns(changes):
                pem = self_signed(SECURE_HOST)
                secret = fleet.certificate_secret(SECRET, pem)
                der = ssl.PEM_cert_to_DER_cert(pem.decode().partition("-----BEGIN PRIVATE KEY-----")[0])
                done = self._control.until_certificate(SECURE_HOST, der)
                await trial.time(SECRET, lambda made=secret: put(connection, SECRETS, made), done)  # type: ignore[misc]
        return [trial.found(self.name, self.count, CERTIFICATE, churn=churn)]

    async def all(self, changes: int, *, churn: bool, seconds: float = 600) -> AsyncIterator[Found]:
        """Each question in turn, while there is time; one that is not answered in time ends with a word about it."""
        began = time.monotonic()
        for ask in (self.routes, self.pods, self.certificates):
            if time.monotonic() - began > seconds:
                say(f"{self.name}, {self.count} routes: no time is left for {ask.__name__}")
                return
            try:
                found = await ask(changes, churn=churn)
            except TimeoutError:
                say(f"{self.name}, {self.count} routes: gave no right answer in time ({ask.__name__})")
                return
            for one in found:
                say(one.line)
                yield one


async def measure(directory: Path, counts: list[int], changes: int, beside: int) -> list[Found]:
    found: list[Found] = []
    async with answering_pod(directory / "pod") as pod:
        for count in counts:
            async with filled_api(directory / str(count), count, pod=pod) as api:
                connection = await api.connect()
                secret = fleet.certificate_secret(SECRET, self_signed(SECURE_HOST))
                await post(connection, SECRETS, secret)
                await post(connection, INGRESSES, fleet.secure_ingress(SECURE_HOST, secret=SECRET, service="app-0"))
                with controller(directory / str(count)) as control:
                    stand = Stand("Remora", control, api, connection, count=count, pod=pod)
                    await control.serving(fleet.host_of(0))
                    await settled(api, count)
                    found += [one async for one in stand.all(changes, churn=False)]
                    async with churning(api, count):
                        found += [one async for one in stand.all(changes, churn=True)]
                    say(f"{await control.metric('remora_reloads_total'):10.0f}   reloads in all, the start among them")
                if beside and not Traefik.missing():
                    found += await _measure_traefik(
                        directory / str(count), api, connection, count=count, changes=beside, pod=pod
                    )
                connection.close()
    return found


async def _measure_traefik(
    directory: Path, api: Api, connection: Connection, *, count: int, changes: int, pod: int
) -> list[Found]:
    with traefik(directory) as control:
        began = time.perf_counter()
        try:
            await control.serving(fleet.host_of(0))
        except TimeoutError:
            say(f"Traefik did not serve {count} routes in time")
            return []
        say(f"{time.perf_counter() - began:10.1f} s    Traefik, {count} routes, until the first answer")
        stand = Stand("Traefik", control, api, connection, count=count, pod=pod)
        return [one async for one in stand.all(changes, churn=False, seconds=LONGEST_BESIDE)]


def main(given: argparse.Namespace) -> None:
    facts = machine()
    say(", ".join(f"{name} {value}" for name, value in facts.items()))
    if given.traefik and not Traefik.missing():
        facts["Traefik"] = Traefik.version()
    facts["Remora"] = version_of(sys.executable, "-m", "remora", "--version")
    with tempfile.TemporaryDirectory() as place:
        found = uvloop.run(measure(Path(place), given.counts, given.changes, given.traefik))
    facts["load at the end"] = machine()["load"]
    print(render(found))
    if given.output:
        write(Path(given.output), facts, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 3_000, 10_000])
    parser.add_argument("--changes", type=int, default=50, help="of each kind")
    parser.add_argument("--traefik", type=int, default=4, metavar="CHANGES", help="of each kind, beside it; 0 leaves it out")
    parser.add_argument("--output", default="", help="a directory for propagation.json, its text and its picture")
    main(parser.parse_args())
