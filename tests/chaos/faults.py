"""What can go wrong, a function for each: it makes it happen, ends it, and says what must be served then.

While a fault lasts something changes, so that "right again" means more than "as before".
"""

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scene import Scene, until
from tests.chaos.servers import RealApi, SmallApi
from tests.support.certificates import self_signed
from tests.support.trouble import Trouble

Befall = Callable[[Scene, float], Awaitable[tuple[str, ...]]]
"""Makes a fault last for so many seconds, where it lasts; the hosts that are to be served in the end."""


@dataclass(frozen=True)
class Fault:
    """`message` is what the controller must say, so that an operator can act.

    `kills_proxy` allows requests under way to fail and WebSockets to be cut, and `kills_all` clients to be refused until the
    next controller has started a proxy. `of_real_api` needs the local cluster's API server, `of_small_disk` a disk that can be
    filled, and `files` is a limit on open files.
    """

    name: str
    befall: Befall
    message: str
    kills_proxy: bool = False
    kills_all: bool = False
    of_real_api: bool = False
    of_small_disk: bool = False
    files: int = 0
    part: float = 1 / 3
    """Of the time that an API server is away altogether."""


async def controller_killed(scene: Scene, _: float) -> tuple[str, ...]:
    await scene.controller.kill()
    host = await scene.add_route()
    await scene.add_pods(1)
    await asyncio.sleep(0.5)
    scene.over()
    await scene.begin()
    return (host,)


async def worker_killed(scene: Scene, _: float) -> tuple[str, ...]:
    await scene.kill_proxy(scene.workers())
    return (await scene.add_route(),)


async def master_killed(scene: Scene, _: float) -> tuple[str, ...]:
    await scene.kill_proxy(scene.masters())
    return (await scene.add_route(),)


async def haproxy_killed(scene: Scene, _: float) -> tuple[str, ...]:
    await scene.kill_proxy([*scene.masters(), *scene.workers()])
    return (await scene.add_route(),)


async def all_killed(scene: Scene, _: float) -> tuple[str, ...]:
    """What a node's loss of power leaves, but for the listeners."""
    await scene.controller.kill()
    await scene.kill_proxy([*scene.masters(), *scene.workers()])
    await scene.begin()
    return (await scene.add_route(),)


async def api_killed(scene: Scene, seconds: float) -> tuple[str, ...]:
    api = scene.api
    assert isinstance(api, RealApi)
    before = await scene.add_route()
    api.send(signal.SIGKILL)
    await asyncio.sleep(seconds)
    api.begin()
    await api.answers()
    scene.over()
    return before, await scene.add_route()


async def api_stopped(scene: Scene, seconds: float) -> tuple[str, ...]:
    api = scene.api
    assert isinstance(api, RealApi)
    before = await scene.add_route()
    api.send(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    api.send(signal.SIGCONT)
    scene.over()
    return before, await scene.add_route()


def _trouble(scene: Scene) -> Trouble:
    assert isinstance(scene.api, SmallApi)
    return scene.api.fake.trouble


async def _through(scene: Scene, seconds: float) -> tuple[str, ...]:
    """Changes something in the midst of a trouble that was set, and ends it."""
    begun = time.monotonic()
    first = await scene.add_route()
    await scene.add_pods(1)
    await asyncio.sleep(seconds / 2)
    second = await scene.add_route()
    await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
    await until(lambda: bool(_trouble(scene).befallen), "trouble")
    _trouble(scene).end()
    scene.over()
    return first, second, await scene.add_route()


async def api_frozen(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).freeze()
    return await _through(scene, seconds)


async def api_slow(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).delay = min(1.0, seconds / 4)
    _trouble(scene).closing = 0.1
    return await _through(scene, seconds)


def api_answers(status: int) -> Befall:
    async def befall(scene: Scene, seconds: float) -> tuple[str, ...]:
        _trouble(scene).status = status
        return await _through(scene, seconds)

    return befall


async def controller_begins_in_trouble(scene: Scene, seconds: float) -> tuple[str, ...]:
    await scene.controller.kill()
    _trouble(scene).status = 500
    await scene.begin()
    await scene.says("attempt 1: 500")
    return await _through(scene, seconds)


async def watches_closed(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).closing = 0.05
    return await _through(scene, seconds)


async def events_twice(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).twice = True
    return await _through(scene, seconds)


async def events_late(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).delay = min(3.0, seconds / 2)
    return await _through(scene, seconds)


async def events_of_unknown_type(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).before_lines = (b'{"type":"RENAMED","object":{"metadata":{"name":"x","resourceVersion":"1"}}}\n',)
    return await _through(scene, seconds)


async def events_of_rubbish(scene: Scene, seconds: float) -> tuple[str, ...]:
    _trouble(scene).before_lines = (b"<html>502 Bad Gateway</html>\n",)
    return await _through(scene, seconds)


async def socket_gone(scene: Scene, _: float) -> tuple[str, ...]:
    Path(scene.layout.runtime_socket).unlink()
    scene.over()
    return (await scene.add_route(),)


async def disk_full(scene: Scene, seconds: float) -> tuple[str, ...]:
    """No file can be written; a TCP service asks for a reload, which needs files."""
    pid = scene.controller.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        host = await scene.add_route()
        scene.right_from = time.monotonic()
        await until(lambda: scene.serves(host), "route that needs no file")
        await scene.open_port()
        await scene.says("cannot be written")
        later = await scene.add_route()
        await until(lambda: scene.serves(later), "route while something else cannot be had")
        await asyncio.sleep(seconds / 4)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    scene.over()
    return (host, later)


async def disk_full_and_killed(scene: Scene, seconds: float) -> tuple[str, ...]:
    """HAProxy dies, and its files cannot be written anew."""
    host = await scene.add_route()
    await until(lambda: scene.serves(host), "route")
    filler = scene.directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    await scene.kill_proxy([*scene.masters(), *scene.workers()])
    later = await scene.add_route()
    await until(lambda: scene.serves(host), "HAProxy")
    await until(lambda: scene.serves(later), "change on a full disk")
    await asyncio.sleep(seconds / 4)
    filler.unlink()
    return host, later, await scene.add_route()


async def certificate_rubbish(scene: Scene, seconds: float) -> tuple[str, ...]:
    return await _with_certificate(scene, b"rubbish")


async def certificate_of_another_key(scene: Scene, seconds: float) -> tuple[str, ...]:
    return await _with_certificate(scene, self_signed("web.test"), self_signed("web.test"))


async def _with_certificate(scene: Scene, *unusable: bytes) -> tuple[str, ...]:
    await scene.put_certificate(*unusable)
    host = await scene.add_route()
    scene.over()
    await scene.becomes_right(host)
    await scene.put_certificate(self_signed("web.test"))
    scene.over()
    return (host,)


async def clock_jumps(scene: Scene, seconds: float) -> tuple[str, ...]:
    """A controller whose clock jumps back and forth, by a year and by a second."""
    await scene.controller.kill()
    await scene.begin(program=("-m", "tests.chaos.jumping_clock"))
    hosts = []
    for _ in range(4):
        hosts.append(await scene.add_route())
        await asyncio.sleep(seconds / 8)
    scene.over()
    return tuple(hosts)


async def controller_without_files(scene: Scene, seconds: float) -> tuple[str, ...]:
    """The controller reaches its limit on open files."""
    pid = scene.controller.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_lowest_free(pid), before[1]))
    try:
        host = await scene.add_route()
        await scene.says("Too many open files")
        await asyncio.sleep(seconds / 2)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    scene.over()
    return (host, await scene.add_route())


async def haproxy_full(scene: Scene, seconds: float) -> tuple[str, ...]:
    """HAProxy has as many clients as its limit on open files allows: new ones wait, and those that it has are served on."""
    port = scene.http_port
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(IDLE)]
    try:
        host = await scene.add_route()
        await scene.says("new clients wait")
        await asyncio.sleep(seconds / 4)
    finally:
        for _, writer in idle:
            writer.close()
    scene.over()
    return (host, await scene.add_route())


def _lowest_free(pid: int) -> int:
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in range(len(used) + 1) if number not in used)


FILES = 700
"""So many open files are allowed where few are; HAProxy needs some of them for itself, and two for each request."""
IDLE = 500
SILENT = "this replica writes no statuses: the API server does not answer"
FAILED = "what was known goes on being served"

FAULTS = (
    Fault("controller killed", controller_killed, "adopted the HAProxy that runs already"),
    Fault("HAProxy's worker killed", worker_killed, "HAProxy has died", kills_proxy=True),
    Fault("HAProxy's master killed", master_killed, "HAProxy has died", kills_proxy=True),
    Fault("master and worker killed", haproxy_killed, "HAProxy has died", kills_proxy=True),
    Fault("controller and HAProxy killed", all_killed, "HAProxy was not running", kills_proxy=True, kills_all=True),
    Fault("runtime socket gone", socket_gone, "runtime.sock was gone"),
    Fault("API server killed", api_killed, FAILED, of_real_api=True, part=1),
    Fault("API server stopped", api_stopped, SILENT, of_real_api=True, part=1),
    Fault("API server frozen", api_frozen, SILENT, part=1),
    Fault("API server slow", api_slow, ""),
    Fault("API server answers 429", api_answers(429), f"{FAILED}: 429"),
    Fault("API server answers 500", api_answers(500), f"{FAILED}: 500"),
    Fault("API server answers 410", api_answers(410), "410"),
    Fault("controller begins, API answers 500", controller_begins_in_trouble, "key is not to be had yet, attempt 1: 500"),
    Fault("watches closed at random", watches_closed, ""),
    Fault("events told twice", events_twice, ""),
    Fault("events told late", events_late, ""),
    Fault("events of an unknown type", events_of_unknown_type, "RENAMED"),
    Fault("rubbish in a watch", events_of_rubbish, "a line of the watch is no event"),
    Fault("disk full", disk_full, "cannot be written"),
    Fault("disk full, HAProxy killed", disk_full_and_killed, "cannot be written", kills_proxy=True, of_small_disk=True),
    Fault("certificate replaced by rubbish", certificate_rubbish, "tls.crt is not a certificate in PEM"),
    Fault("certificate with another's key", certificate_of_another_key, "tls.key is not the key of the certificate"),
    Fault("clock jumps", clock_jumps, ""),
    Fault("controller out of file descriptors", controller_without_files, "Too many open files"),
    Fault("HAProxy out of file descriptors", haproxy_full, "new clients wait", files=FILES),
)
"""In the order of the table that is printed."""
