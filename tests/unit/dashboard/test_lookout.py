"""What the pages show of objects, by an API server that says what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import cast

import msgspec
import pytest

from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.dashboard import lookout
from remora.dashboard.lookout import Lookout
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_kinds import POD
from remora.dashboard.workload_objects import Pod
from remora.kube.client import ApiClient


def event(type_: str, name: str, version: str, **fields: object) -> bytes:
    metadata = {"name": name, "namespace": "n", "resourceVersion": version}
    return msgspec.json.encode({"type": type_, "object": {"metadata": metadata, **fields}})


GONE = msgspec.json.encode({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
FORBIDDEN = ApiServerRefused(status=403, reason="Forbidden", message="pods is forbidden")


class Script:
    """Answers to lists and watches, each in its turn; after the last one a watch says nothing more."""

    def __init__(self, *answers: list[str] | list[bytes] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def read(self, path: str) -> bytes:
        self.asked.append(path)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        items = [{"metadata": {"name": name, "namespace": "n"}} for name in answer]
        return msgspec.json.encode({"metadata": {"resourceVersion": "1"}, "items": items})

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        self.asked.append(f"watch from {query['resourceVersion']}")
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for line in answer:
            yield cast(bytes, line)


async def seen_after(script: Script, is_enough: Callable[[list[str], Mapping[str, str]], bool]) -> list[str]:
    """The names of the pods as soon as that is so."""
    viewer = Viewer("v", cast(ApiClient, script), "n")
    watching = Lookout()
    task = asyncio.create_task(watching.run())
    try:
        async with asyncio.timeout(20):
            while True:
                seen = await watching.see(viewer, (POD,))
                names = sorted(one.key.name for one in seen.of(POD, Pod))
                if is_enough(names, seen.trouble):
                    return names
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "_FIRST_WAIT", 0.0)


async def test_a_list_is_kept_up_to_date_by_the_watch() -> None:
    events = [event("ADDED", "c", "2"), event("DELETED", "a", "3"), event("MODIFIED", "b", "4", spec={"nodeName": "x"})]
    script = Script(["a", "b"], events)
    assert await seen_after(script, lambda names, _: names == ["b", "c"]) == ["b", "c"]


async def test_a_version_that_is_forgotten_leads_to_a_new_list() -> None:
    assert await seen_after(Script(["a"], [GONE], ["b"]), lambda names, _: names == ["b"])


async def test_a_watch_that_ends_goes_on_from_where_it_stood() -> None:
    script = Script(["a"], [event("ADDED", "b", "7")], [event("ADDED", "c", "8")])
    await seen_after(script, lambda names, _: names == ["a", "b", "c"])
    assert script.asked[:3] == [f"{POD.resource.path()}?limit=500", "watch from 1", "watch from 7"]


async def test_what_was_seen_stays_while_the_api_server_does_not_answer() -> None:
    script = Script(["a"], ApiServerUnreachable("no answer"), *[ApiServerUnreachable("no answer")] * 50)
    assert await seen_after(script, lambda _, trouble: "no answer" in trouble.get("pods", "")) == ["a"]


async def test_what_was_seen_goes_with_the_right_to_see_it() -> None:
    script = Script(["a"], ApiServerUnreachable("cut"), *[FORBIDDEN] * 200)
    assert await seen_after(script, lambda names, trouble: "forbidden" in trouble.get("pods", "")) == []


async def test_whoever_may_not_list_everywhere_sees_their_namespace() -> None:
    class Narrow(Script):
        async def read(self, path: str) -> bytes:
            if "/namespaces/n/" not in path:
                raise FORBIDDEN
            return await super().read(path)

    assert await seen_after(Narrow(["mine"]), lambda names, _: names == ["mine"])


async def test_an_object_that_cannot_be_read_costs_only_itself() -> None:
    odd = msgspec.json.encode({"type": "ADDED", "object": {"metadata": {"name": "odd", "namespace": "n"}, "spec": 5}})
    assert await seen_after(Script(["a"], [odd, event("ADDED", "b", "2")]), lambda names, _: names == ["a", "b"])
