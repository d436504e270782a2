"""A small API server with pods and their logs: followed, cut off, read again from a second on, or of the instance before."""

import asyncio
from collections import defaultdict
from typing import Any

from aiohttp import web

from tests.support.api import FakeApi, Object

SECOND = 19
"""Characters of a time up to its second: the API server passes no more of it on."""


class LogApi(FakeApi):
    """Logs by (pod, instance); every line has its time in front. `cut` breaks all connections that follow."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[tuple[str, int], list[str]] = defaultdict(list)
        self.asked: list[dict[str, str]] = []
        self.open = 0
        self.most_open = 0
        self.lingers = False
        """Whether logs that are being read outlive their pods."""
        self._cuts = 0

    def pod(self, name: str, *, restarts: int = 0, ended: int | None = None, uid: str = "") -> Object:
        """A pod with one container `app` whose present instance is the one after so many restarts."""
        over = {"terminated": {"exitCode": ended, "reason": "Error"}}
        state: dict[str, Any] = {"running": {}} if ended is None else over
        status = {"name": "app", "restartCount": restarts, "containerID": f"test://{name}-{restarts}", "state": state}
        if restarts:
            status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
        meta = {"name": name, "namespace": "default", "uid": uid or name}
        pod = {"metadata": meta, "spec": {"containers": [{"name": "app"}]}}
        return self.put("pods", {**pod, "status": {"phase": "Running", "containerStatuses": [status]}})

    def print(self, pod: str, *lines: str, instance: int = 0) -> None:
        self.logs[pod, instance] += lines

    def cut(self) -> None:
        self._cuts += 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/log"):
            return await super()._answer(request)
        name, query = request.path.split("/")[-2], dict(request.query)
        self.asked.append(query)
        found = self.objects["pods"].get(("default", name))
        if found is None:
            return web.json_response({"reason": "NotFound", "message": f"no pod {name}"}, status=404)
        status = found["status"]["containerStatuses"][0]
        instance = status["restartCount"] - ("previous" in query)
        if instance < 0:
            return web.json_response({"reason": "BadRequest", "message": "previous container not found"}, status=400)
        response = web.StreamResponse()
        await response.prepare(request)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._write(request, response, name, instance, found["metadata"]["uid"])
        finally:
            self.open -= 1
        return response

    async def _write(self, request: web.Request, response: web.StreamResponse, name: str, instance: int, uid: str) -> None:
        query, cuts, lines = request.query, self._cuts, self.logs[name, instance]
        since = query.get("sinceTime", "")[:SECOND]
        position = len(lines) - int(query["tailLines"]) if "tailLines" in query else 0
        position = max(0, position)
        while True:
            while position < len(lines):
                line = lines[position]
                position += 1
                if line[:SECOND] >= since:
                    await response.write(line.encode() + b"\n")
            if "follow" not in query or self._is_over(name, instance, uid):
                return
            if cuts != self._cuts:
                assert request.transport is not None
                await response.write(b"2026-01-01T00:00:59.9Z half a li")
                request.transport.close()
                return
            await asyncio.sleep(0.01)

    def _is_over(self, name: str, instance: int, uid: str) -> bool:
        pod = self.objects["pods"].get(("default", name))
        if pod is None or pod["metadata"]["uid"] != uid:
            return not self.lingers
        status = pod["status"]["containerStatuses"][0]
        return status["restartCount"] != instance or "terminated" in status["state"]
