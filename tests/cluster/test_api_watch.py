"""Watches and authentication over real HTTPS, by a client that looks at every line."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remora.cluster.api.registry import Registry
from tests.cluster.api_server import Running, running_api_server

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_api_server(tmp_path) as running:
        yield running


class Lines:
    """The events of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Any:
        return json.loads(await asyncio.wait_for(self.response.content.readline(), 30))

    async def brief(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


@asynccontextmanager
async def watching(api: Running, **query: str) -> AsyncIterator[Lines]:
    async with api.session.get(CONFIG_MAPS, params={"watch": "true", **query}) as response:
        assert response.status == 200
        yield Lines(response)


async def create(registry: Registry, name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return await registry.create("configmaps", {"metadata": metadata})


async def relabel(registry: Registry, obj: dict[str, Any], **labels: str) -> dict[str, Any]:
    return await registry.update("configmaps", {**obj, "metadata": {**obj["metadata"], "labels": labels}})


async def test_watch_begins_with_what_exists_and_goes_on(api: Running) -> None:
    await create(api.registry, "a")
    async with watching(api) as lines:
        assert await lines.brief(1) == [("ADDED", "a")]
        await create(api.registry, "b")
        await api.registry.delete("configmaps", "default", "a")
        assert await lines.brief(2) == [("ADDED", "b"), ("DELETED", "a")]


async def test_watch_from_a_version_has_only_what_came_after(api: Running) -> None:
    first = await create(api.registry, "a")
    await create(api.registry, "b")
    async with watching(api, resourceVersion=first["metadata"]["resourceVersion"]) as lines:
        assert await lines.brief(1) == [("ADDED", "b")]


async def test_object_enters_and_leaves_a_selection(api: Running) -> None:
    obj = await create(api.registry, "a", x="1")
    async with watching(api, labelSelector="x=2", resourceVersion=obj["metadata"]["resourceVersion"]) as lines:
        obj = await relabel(api.registry, obj, x="2")
        obj = await relabel(api.registry, obj, x="2", y="1")
        obj = await relabel(api.registry, obj, x="3")
        await api.registry.delete("configmaps", "default", "a")
        await create(api.registry, "b", x="2")
        assert await lines.brief(4) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]


async def test_streaming_list_ends_with_a_marked_bookmark(api: Running) -> None:
    await create(api.registry, "a")
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(api, **options) as lines:
        assert await lines.brief(1) == [("ADDED", "a")]
        end = await lines.next()
        assert end["type"] == "BOOKMARK"
        assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert end["object"]["metadata"]["resourceVersion"] == str(api.registry.version)


async def test_watch_ends_when_its_time_is_over(api: Running) -> None:
    async with watching(api, timeoutSeconds="1") as lines:
        assert await asyncio.wait_for(lines.response.content.read(), 20) == b""


async def test_version_that_is_gone_is_expired(api: Running) -> None:
    for number in range(1100):
        await create(api.registry, f"c{number}")
    async with api.session.get(CONFIG_MAPS, params={"watch": "true", "resourceVersion": "3"}) as response:
        status = await response.json()
    assert (response.status, status["reason"]) == (410, "Expired")


async def test_table_names_its_columns_once(api: Running) -> None:
    await create(api.registry, "a")
    await create(api.registry, "b")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with api.session.get(CONFIG_MAPS, params={"watch": "true"}, headers=accept) as response:
        first, second = [await Lines(response).next() for _ in range(2)]
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["object"]["columnDefinitions"] is None


async def test_pages_of_a_list_are_the_list(api: Running) -> None:
    for name in "abcde":
        await create(api.registry, name)
    found: list[str] = []
    token = ""
    while True:
        async with api.session.get(CONFIG_MAPS, params={"limit": "2", "continue": token}) as response:
            page = await response.json()
        found += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == list("abcde")


async def test_metadata_alone_can_be_asked_for(api: Running) -> None:
    await create(api.registry, "a")
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    async with api.session.get(CONFIG_MAPS, headers=accept) as response:
        listed = await response.json()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert listed["items"][0].keys() == {"kind", "apiVersion", "metadata"}


async def test_yaml_is_read_and_written(api: Running) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: '2026-11-20'}\n"
    headers = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    async with api.session.post(CONFIG_MAPS, data=body, headers=headers) as response:
        assert response.status == 201
        assert "day: '2026-11-20'" in await response.text()


async def test_too_large_a_body_is_refused(api: Running) -> None:
    async with api.session.post(CONFIG_MAPS, data=io.BytesIO(b" " * (3 * 1024 * 1024 + 1))) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_stranger_learns_the_version_and_nothing_else(api: Running) -> None:
    statuses = {}
    async with aiohttp.ClientSession(api.server) as stranger:
        for path in ("/version", "/readyz", "/api", CONFIG_MAPS):
            async with stranger.get(path, ssl=False) as response:
                statuses[path] = response.status
    assert statuses == {"/version": 200, "/readyz": 200, "/api": 401, CONFIG_MAPS: 401}


async def test_service_account_is_known_by_its_token(api: Running) -> None:
    headers = {"Authorization": f"Bearer {api.tokens.issue('default', 'robot', 'pod-1')}"}
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with aiohttp.ClientSession(api.server) as robot:
        async with robot.post(review, json={}, headers=headers, ssl=False) as response:
            answer = await response.json()
        async with robot.get("/api", headers={"Authorization": "Bearer a.b.c"}, ssl=False) as refused:
            assert refused.status == 401
    assert answer["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"


async def test_watch_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    async with running_api_server(tmp_path) as api, watching(api) as lines:
        assert lines.response.status == 200
    with pytest.raises(aiohttp.ClientError):
        await lines.response.content.read()


async def test_streams_that_the_end_of_the_server_cuts_are_no_faults_in_its_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as session:
        async with running_api_server(tmp_path) as api:
            watch = await session.get(f"{api.server}/api/v1/pods?watch=1", ssl=api.context)
            assert watch.status == 200
        with pytest.raises(aiohttp.ClientError):
            await watch.content.read()
        watch.close()
    assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []


async def test_a_refused_websocket_is_no_fault_in_the_log(api: Running, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await api.session.ws_connect("/api/v1/namespaces/default/pods/none/exec?command=ls", protocols=["v5.channel.k8s.io"])
    assert refused.value.status == 404
    # The next answer comes after what the server had to say about the one before.
    async with api.session.get("/readyz") as response:
        assert response.status == 200
    assert [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"] == []
