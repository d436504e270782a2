"""What befalls the sessions: each scenario is a change to the one site that all peers serve, at the same moment for all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from bench.peers.objects import Objects
from bench.peers.site import Pod, Proxy, Route, Site
from bench.pods import PORT, LivePods, address_of

LIVE = Route("live.example", PORT, sticky=True)
GRACE = 1.5
"""Seconds that a pod still serves after it was told to go."""

CALM = 1.5
CHANGES = 5
RELOAD_PATIENCE = 15.0
"""Seconds for a controller to see that it has to."""


@dataclass
class Stage:
    """The pods, the site, and whoever serves it."""

    pods: LivePods
    objects: Objects
    proxies: dict[str, Proxy]
    site: Site = field(default_factory=lambda: Site((LIVE,), ()))
    others: tuple[Proxy, ...] = ()
    """Further replicas, which are told the same."""
    started: int = 0

    async def apply(self, site: Site) -> None:
        """Tells everybody at once."""
        self.site = site
        told = [proxy.configure(site) for proxy in (*self.proxies.values(), *self.others)]
        await asyncio.gather(self.objects.configure(site), *told)

    async def add(self, count: int) -> None:
        """New pods that are ready."""
        pods = []
        for _ in range(count):
            pod = Pod(f"live-{self.started}", address_of(10 + self.started))
            self.started += 1
            await self.pods.start(pod.name, pod.address)
            pods.append(pod)
        await self.apply(replace(self.site, pods=(*self.site.pods, *pods)))

    async def take(self, going: Sequence[Pod]) -> None:
        """As Kubernetes ends pods: they are terminating, they serve on for their grace, they end, they are no endpoints."""
        names = {pod.name for pod in going}
        pods = tuple(replace(pod, going=pod.name in names) for pod in self.site.pods)
        await self.apply(replace(self.site, pods=pods))
        await asyncio.sleep(GRACE)
        for name in names:
            self.pods.kill(name)
        await asyncio.sleep(0.2)
        await self.forget(names)

    async def forget(self, names: set[str]) -> None:
        await self.apply(replace(self.site, pods=tuple(pod for pod in self.site.pods if pod.name not in names)))


Unfit = dict[str, str]
"""Peers that a scenario says nothing about, and why."""


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    run: Callable[[Stage], Awaitable[Unfit]]


async def _churn(stage: Stage) -> Unfit:
    for number in range(CHANGES):
        route = Route(f"other-{number}.example", PORT)
        await stage.apply(replace(stage.site, routes=(LIVE, route)))
        await asyncio.sleep(1)
    await stage.apply(replace(stage.site, routes=(LIVE,)))
    return {}


async def _up(stage: Stage) -> Unfit:
    await stage.add(2)
    return {}


async def _down(stage: Stage) -> Unfit:
    await stage.take(stage.site.pods[:2])
    return {}


async def _rolling(stage: Stage) -> Unfit:
    for pod in stage.site.pods:
        await stage.add(1)
        await asyncio.sleep(0.3)
        await stage.take([pod])
    return {}


async def _killed(stage: Stage) -> Unfit:
    """The endpoints follow after a second, as soon as somebody noticed."""
    pod = stage.site.pods[0]
    stage.pods.kill(pod.name)
    await asyncio.sleep(1)
    await stage.forget({pod.name})
    await stage.add(1)
    return {}


async def _controller(stage: Stage) -> Unfit:
    """A pod comes while nobody decides, so that there is something to miss."""
    unfit = {name: "has no controller of its own here" for name, one in stage.proxies.items() if not one.controllers()}
    await asyncio.gather(*(one.restart_controller() for one in stage.proxies.values()))
    await stage.add(1)
    return unfit


async def _reload(stage: Stage) -> Unfit:
    before = {name: set(proxy.processes()) for name, proxy in stage.proxies.items()}
    await stage.objects.change_settings("X-Bench")
    told = await asyncio.gather(*(proxy.reload() for proxy in stage.proxies.values()))
    await asyncio.sleep(2)
    deadline = time.monotonic() + RELOAD_PATIENCE
    while time.monotonic() < deadline and any(
        proxy.reads_api and proxy.controllers() and set(proxy.processes()) == before[name]
        for name, proxy in stage.proxies.items()
    ):
        await asyncio.sleep(0.1)
    unfit = {}
    for (name, proxy), was_told in zip(stage.proxies.items(), told, strict=True):
        if not was_told and set(proxy.processes()) == before[name]:
            unfit[name] = "did not reload"
    return unfit


SCENARIOS = (
    Scenario("churn", f"{CHANGES} unrelated routes, one a second", _churn),
    Scenario("up", "scaled from 4 pods to 6", _up),
    Scenario("down", "scaled from 6 pods to 4", _down),
    Scenario("rolling", "rolling restart of 4 pods", _rolling),
    Scenario("killed", "a pod is killed, and another comes", _killed),
    Scenario("controller", "kill -9 of the controller, a pod comes", _controller),
    Scenario("reload", "the proxy reloads", _reload),
)
