"""Carries out a switch: reads the objects, patches one after the other, watches, and goes back if it must."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from remora.cli.health_ports import Whom, health_ports
from remora.core.errors import ApiServerRefused, RemoraError, UsageError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.migrate.compare import Comparison
from remora.migrate.switch import (
    Check,
    Direction,
    Limits,
    Reading,
    State,
    Step,
    added,
    capacity_check,
    class_steps,
    comparison_check,
    former_selector,
    judge,
    matches,
    parse_reading,
    ports_check,
    selector_step,
    state_of,
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for. Times are in seconds."""

    by_class: bool
    service: NamespacedName
    selector: Mapping[str, str]
    old_class: str = "nginx"
    new_class: str = "remora"
    direction: Direction = Direction.FORTH
    dry_run: bool = False
    accepted: frozenset[str] = frozenset()
    limits: Limits = Limits()
    watch: float = 300.0
    interval: float = 5.0
    kubeconfig: str = ""
    context: str = ""
    controller: str = ""
    """The health port of Remora's controller; "" asks all that the cluster has through the API server."""


class End(msgspec.Struct, frozen=True):
    """How it ended: the exit code, words for people, and what the objects say."""

    code: int
    said: str
    state: State


Tell = Callable[[str], None]


async def run_switch(wish: Wish, checks: Sequence[Check], tell: Tell) -> End:
    """The whole switch. `checks` are those that were made already.

    Raises:
        RemoraError: the API server refuses something; what was moved before stays moved.
    """
    connection = await connect(wish.kubeconfig, wish.context)
    async with ApiClient.open(connection) as client, _interruption() as stop:
        switching = Switching(client, wish, tell, stop)
        return await switching.run(checks)


class Switching:
    """One run of the command."""

    def __init__(self, client: ApiClient, wish: Wish, tell: Tell, stop: asyncio.Event) -> None:
        self._client = client
        self._wish = wish
        self._tell = tell
        self._stop = stop
        self._before: dict[str, Reading] = {}
        self._counted = Reading()
        self._silent = 0

    async def run(self, checks: Sequence[Check]) -> End:
        """Checks, moves, watches."""
        wish = self._wish
        steps, state = await self._look(wish.direction)
        self._tell(state.value)
        await self._read()
        if wish.direction is Direction.FORTH:
            unmet = self._tell_checks([*checks, *await self._own_checks()])
            if unmet and not wish.dry_run:
                names = " ".join(f"--accept {check.name}" for check in unmet)
                return End(3, f"nothing was moved; mend what is not met, or go on with {names}", state)
        if wish.dry_run:
            for step in steps:
                self._tell(f"would {step.said}")
            if wish.direction is Direction.FORTH:
                self._tell(f"would watch for {wish.watch:g} s, and go back if errors rise or sessions break")
            return End(0, "nothing was moved", state)
        return await self._move(steps)

    async def _move(self, steps: Sequence[Step]) -> End:
        for step in steps:
            if self._stop.is_set():
                return await self._interrupted()
            await self._apply(step)
            if self._wish.direction is Direction.FORTH and (why := await self._judge()):
                return await self._go_back(why)
        if self._wish.direction is Direction.BACK:
            return End(0, "the old controller serves again", await self._state())
        return await self._watch()

    async def _watch(self) -> End:
        wish = self._wish
        self._tell(f"watching for {wish.watch:g} s")
        deadline = asyncio.get_running_loop().time() + wish.watch
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if await self._pause(min(wish.interval, left)):
                return await self._interrupted()
            if why := await self._judge():
                return await self._go_back(why)
        counted = self._counted
        said = f"{counted.requests:g} requests since then, {counted.errors:g} with 5xx, {counted.broken:g} sessions broken"
        return End(0, f"Remora serves; {said}", await self._state())

    async def _go_back(self, why: str) -> End:
        self._tell(f"going back: {why}")
        steps, _ = await self._look(Direction.BACK)
        for step in steps:
            await self._apply(step)
        return End(4, f"went back: {why}", await self._state())

    async def _interrupted(self) -> End:
        state = await self._state()
        said = "interrupted; run the command again to go on, or with --back to undo what was moved"
        return End(130, said, state)

    async def _pause(self, seconds: float) -> bool:
        """Whether somebody interrupted it."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def _state(self) -> State:
        return (await self._look(self._wish.direction))[1]

    async def _look(self, direction: Direction) -> tuple[list[Step], State]:
        """The steps that are left, and how far the switch has come."""
        forth, back = await self._steps(Direction.FORTH), await self._steps(Direction.BACK)
        return (forth if direction is Direction.FORTH else back), state_of(forth, back)

    async def _steps(self, direction: Direction) -> list[Step]:
        wish = self._wish
        if wish.by_class:
            ingresses = await self._items("/apis/networking.k8s.io/v1/ingresses")
            return list(class_steps(ingresses, wish.old_class, wish.new_class, direction))
        step = selector_step(await self._service(), wish.selector, direction)
        return [step] if step else []

    async def _service(self) -> dict[str, Any]:
        name = self._wish.service
        try:
            found: dict[str, Any] = msgspec.json.decode(
                await self._client.read(f"/api/v1/namespaces/{name.namespace}/services/{name.name}")
            )
        except ApiServerRefused as error:
            if error.status == 404:
                raise UsageError(
                    f"there is no Service {name}; name the one that clients come through with --service"
                ) from error
            raise
        return found

    async def _own_checks(self) -> list[Check]:
        wish = self._wish
        note = "no controller answers, so nobody would see errors rise" if self._silent else "Remora's controllers answer"
        metrics = Check("metrics", not self._silent, note)
        if wish.by_class:
            return [metrics, await self._class_check()]
        service = await self._service()
        pods = await self._items(f"/api/v1/namespaces/{wish.service.namespace}/pods")
        old = former_selector(service) or (service.get("spec") or {}).get("selector") or {}
        of_old = [pod for pod in pods if matches(pod["metadata"].get("labels") or {}, old)]
        of_new = [pod for pod in pods if matches(pod["metadata"].get("labels") or {}, wish.selector)]
        return [metrics, capacity_check(of_old, of_new), ports_check(service, of_new)]

    async def _class_check(self) -> Check:
        name = self._wish.new_class
        path = f"/apis/networking.k8s.io/v1/ingressclasses/{quote(name)}"
        try:
            await self._client.read(path)
        except ApiServerRefused as error:
            if error.status != 404:
                raise
            return Check("class", False, f"there is no IngressClass {name}")
        return Check("class", True, f"there is an IngressClass {name}")

    def _tell_checks(self, checks: Sequence[Check]) -> list[Check]:
        """Those that are neither met nor accepted."""
        unmet = []
        for check in checks:
            accepted = check.name in self._wish.accepted
            word = "met" if check.is_met else "accepted" if accepted else "NOT MET"
            self._tell(f"{word}: {check.name}: {check.note}")
            if not check.is_met and not accepted:
                unmet.append(check)
        return unmet

    async def _items(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = msgspec.json.decode(await self._client.read(path))["items"]
        return items

    async def _apply(self, step: Step) -> None:
        self._tell(step.said)
        await self._client.patch_path(step.path, step.patch)

    async def _judge(self) -> str:
        await self._read()
        return judge(self._counted, self._wish.limits, silent=self._silent)

    async def _read(self) -> None:
        """Adds what controllers counted since the last look; at the first look nothing is added."""
        wish = self._wish
        try:
            async with health_ports(Whom(wish.controller, wish.kubeconfig, wish.context)) as ports:
                answers = await ports.ask("/metrics", {})
        except RemoraError as error:
            self._silent += 1
            self._tell(f"no metrics: {error}")
            return
        self._silent = 0
        now = {name: parse_reading(body.decode(errors="replace")) for name, body in answers.bodies}
        if self._before:
            self._counted += added(self._before, now)
        self._before |= now


def read_comparison(content: bytes | None, now: datetime) -> Check:
    """The check of a comparison that was written as JSON.

    Raises:
        UsageError: it is none.
    """
    if content is None:
        return comparison_check(None, 0.0)
    try:
        found = msgspec.json.decode(content, type=Comparison)
        taken = datetime.strptime(found.taken_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"--comparison: no result of `remora migrate compare --output json`: {error}") from error
    return comparison_check(found, (now - taken).total_seconds())


def parse_selector(text: str) -> dict[str, str]:
    """`key=value` with commas between them.

    Raises:
        UsageError: it is something else.
    """
    pairs = [part.strip().partition("=") for part in text.split(",")]
    if not all(key and sign and value for key, sign, value in pairs):
        raise UsageError(
            f"--selector {text}: give labels as app.kubernetes.io/name=remora,app.kubernetes.io/component=controller"
        )
    return {key: value for key, _, value in pairs}


@asynccontextmanager
async def _interruption() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, so that no patch is cut in two."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def end_document(end: End) -> dict[str, str | int]:
    """How it ended, for programs."""
    return {"code": end.code, "said": end.said, "state": end.state.name.lower()}
