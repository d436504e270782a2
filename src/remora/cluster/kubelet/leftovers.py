"""Processes that left their container's process group, found by the mark in their environment and ended with their pod."""

import asyncio
import signal
from collections.abc import Collection

from remora.cluster.kubelet.processes import Identity, find_identity, find_marked, send_to

MARK = "REMORA_POD_UID"
_LOOK_AGAIN = 0.02


async def end_leftovers(uids: Collection[str], *, grace: float) -> None:
    """SIGTERM to every process of these pods, SIGKILL to those that are there after `grace` seconds."""
    remaining = await _find(uids)
    for identity in remaining:
        send_to(identity, signal.SIGTERM)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    while remaining and loop.time() < deadline:
        await asyncio.sleep(_LOOK_AGAIN)
        remaining = [identity for identity in remaining if find_identity(identity.pid) == identity]
    # Looked for once more: one that is ending may have started another.
    for identity in await _find(uids) if remaining else ():
        send_to(identity, signal.SIGKILL)


async def _find(uids: Collection[str]) -> list[Identity]:
    marked = await asyncio.to_thread(find_marked, MARK)
    return [identity for uid in uids for identity in marked.get(uid, ())]
