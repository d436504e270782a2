"""`kill -9` of the API server at random moments, while clients write and watch.

Nothing acknowledged is lost, a watch that resumes misses and repeats nothing, and the controllers bring about what was asked.
`REMORA_KILLED_WRITES=10000` makes it as long as one may want.
"""

import asyncio
import json
import os
import random
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

from remora.cluster.api.pki import read_pki
from remora.cluster.ports import free_port
from tests.cluster.killable import HOST

WRITES = int(os.environ.get("REMORA_KILLED_WRITES", "1000"))
WRITERS = 6
BETWEEN_KILLS = (250, 400)
"""Acknowledged writes between two kills."""

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
LABELS = {"app": "web"}

Object = dict[str, Any]


def config_map(name: str, number: int) -> Object:
    return {"metadata": {"name": name, "labels": {"written": "here"}}, "data": {"number": str(number)}}


def deployment(replicas: int) -> Object:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    return {"metadata": {"name": "web"}, "spec": spec}


class Killable:
    """The process, and how to reach it; `begin` starts it, also after `kill`."""

    def __init__(self, directory: Path, port: int) -> None:
        self.server = f"https://{HOST}:{port}"
        self.pki = read_pki(directory / "pki", (HOST,))
        self._command = [sys.executable, "-m", "tests.cluster.killable", str(directory), str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        """Without giving it a chance to do anything more."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    async def answers(self, session: aiohttp.ClientSession) -> None:
        """Waits until it answers."""
        async with asyncio.timeout(60):
            while True:
                try:
                    async with session.get("/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)


class Client:
    """Asks again for as long as the server is away; `acknowledged` counts answers to writes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.acknowledged = 0

    async def ask(self, method: str, path: str, body: Object | None = None, **query: str) -> tuple[int, Object]:
        """The answer; status 0 if none came, and it is unknown what has happened."""
        try:
            async with self.session.request(method, path, json=body, params=query) as response:
                answer = await response.json()
        except (aiohttp.ClientError, ValueError):
            await asyncio.sleep(0.02)
            return 0, {}
        self.acknowledged += method != "GET"
        return response.status, answer

    async def read(self, path: str, **query: str) -> tuple[int, Object]:
        while True:
            status, answer = await self.ask("GET", path, None, **query)
            if status:
                return status, answer


class Writer:
    """Writes one ConfigMap over and over: made, changed, and now and then deleted; every state has the next number."""

    def __init__(self, client: Client, name: str, chance: random.Random) -> None:
        self.client, self.name, self.chance = client, name, chance
        self.number = 0
        self.exists = False

    async def write(self) -> None:
        path = f"{MAPS}/{self.name}"
        wanted = config_map(self.name, self.number + 1)
        if not self.exists:
            is_deletion, (status, _) = False, await self.client.ask("POST", MAPS, wanted)
        elif is_deletion := self.chance.random() < 0.1:
            status, _ = await self.client.ask("DELETE", path)
        else:
            status, _ = await self.client.ask("PUT", path, wanted)
        if status == 0:
            await self._find_out(is_deletion=is_deletion)
            return
        assert status in (200, 201), f"{self.name} {self.number}: {status}"
        self.exists = not is_deletion
        self.number += not is_deletion

    async def _find_out(self, *, is_deletion: bool) -> None:
        """The write without an answer happened or did not; what was acknowledged before it has happened."""
        status, found = await self.client.read(f"{MAPS}/{self.name}")
        if is_deletion:
            assert status == 404 or number_of(found) == self.number
        elif self.exists:
            assert number_of(found) in (self.number, self.number + 1)
        else:
            assert status == 404 or number_of(found) == self.number + 1
        self.exists = status == 200
        self.number = number_of(found) if self.exists else self.number


class Watcher:
    """Follows the ConfigMaps across kills as an informer does."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: dict[str, int] = {}
        self.numbers: dict[str, list[int]] = {}
        self.version = 0
        self.resumed = 0

    async def run(self) -> None:
        _, listed = await self.client.read(MAPS, labelSelector="written=here")
        self.version = int(listed["metadata"]["resourceVersion"])
        assert not listed["items"]
        while True:
            query = {"watch": "true", "labelSelector": "written=here", "resourceVersion": str(self.version)}
            query["allowWatchBookmarks"] = "true"
            try:
                async with self.client.session.get(MAPS, params=query) as response:
                    assert response.status == 200, await response.text()
                    self.resumed += 1
                    async for line in response.content:
                        self._note(json.loads(line))
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)

    def _note(self, event: Object) -> None:
        assert event["type"] != "ERROR", event
        metadata = event["object"]["metadata"]
        version = int(metadata["resourceVersion"])
        assert version > self.version, "a change was told twice, or in the wrong order"
        self.version = version
        if event["type"] == "BOOKMARK":
            return
        if event["type"] == "DELETED":
            del self.seen[metadata["name"]]
            return
        assert (event["type"] == "MODIFIED") == (metadata["name"] in self.seen), event
        self.seen[metadata["name"]] = number_of(event["object"])
        self.numbers.setdefault(metadata["name"], []).append(number_of(event["object"]))


def number_of(obj: Object) -> int:
    return int(obj["data"]["number"])


async def scale(client: Client, chance: random.Random) -> int:
    """Writes the Deployment with another number of replicas until one is acknowledged."""
    while True:
        replicas = chance.randint(1, 6)
        for method, path in (("PUT", f"{DEPLOYMENTS}/web"), ("POST", DEPLOYMENTS)):
            status, _ = await client.ask(method, path, deployment(replicas))
            if status in (200, 201):
                return replicas


async def kill_now_and_then(server: Killable, client: Client, chance: random.Random) -> int:
    kills = 0
    while client.acknowledged < WRITES:
        until = client.acknowledged + chance.randint(*BETWEEN_KILLS)
        while client.acknowledged < until:
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.random() * 0.003)
        server.kill()
        kills += 1
        server.begin()
        await server.answers(client.session)
    return kills


async def test_whoever_kills_the_api_server_loses_nothing(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    server = Killable(tmp_path, free_port(HOST))
    context = ssl.create_default_context(cadata=server.pki.ca.decode())
    context.load_cert_chain(server.pki.directory / "admin.crt", server.pki.directory / "admin.key")
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    server.begin()
    try:
        async with aiohttp.ClientSession(server.server, connector=connector) as session:
            await _kill_and_look(server, Client(session), chance)
    finally:
        server.kill()


async def _kill_and_look(server: Killable, client: Client, chance: random.Random) -> None:
    await server.answers(client.session)
    writers = [Writer(client, f"c{number}", chance) for number in range(WRITERS)]
    watcher = Watcher(client)
    is_over = False

    async def write(writer: Writer) -> None:
        while not is_over:
            await writer.write()

    async def scale_often() -> int:
        while True:
            replicas = await scale(client, chance)
            if is_over:
                return replicas
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watcher.run())
        while not watcher.version:
            await asyncio.sleep(0.01)
        writing = [group.create_task(write(writer)) for writer in writers]
        scaling = group.create_task(scale_often())
        kills = await kill_now_and_then(server, client, chance)
        is_over = True
        replicas = await scaling
        await asyncio.gather(*writing)
        await _settled(client, writers, watcher)
        watching.cancel()
    assert watcher.resumed > kills
    for writer in writers:
        assert watcher.numbers[writer.name] == list(range(1, writer.number + 1))
    await _converged(client, replicas)


async def _settled(client: Client, writers: list[Writer], watcher: Watcher) -> None:
    """Everything acknowledged is there, and the watcher comes to know the same."""
    _, listed = await client.read(MAPS, labelSelector="written=here")
    stored = {item["metadata"]["name"]: number_of(item) for item in listed["items"]}
    assert stored == {writer.name: writer.number for writer in writers if writer.exists}
    async with asyncio.timeout(30):
        while watcher.seen != stored:
            await asyncio.sleep(0.02)


async def _converged(client: Client, replicas: int) -> None:
    """One ReplicaSet has as many pods as the Deployment was last told to have, and both say so."""
    found: object = None
    try:
        async with asyncio.timeout(30):
            while found != (replicas, replicas, [replicas], replicas):
                _, web = await client.read(f"{DEPLOYMENTS}/web")
                _, sets = await client.read(REPLICASETS)
                _, pods = await client.read(PODS)
                counts = [item["status"].get("replicas", 0) for item in sets["items"]]
                found = web["spec"]["replicas"], web.get("status", {}).get("replicas", 0), counts, len(pods["items"])
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{replicas} replicas were asked for; there are {found}") from None
