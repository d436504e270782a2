"""Waits until a pod's sessions are gone, by asking the controllers again and again."""

import asyncio
from collections.abc import Callable

import msgspec

from remora.cli.health_ports import HealthPorts, Whom, health_ports
from remora.core.errors import ApiServerRefused, RemoraError, UsageError
from remora.core.names import NamespacedName
from remora.kube.objects import Pod
from remora.kube.objects.pod import SESSION_DRAIN
from remora.kube.resources import RESOURCES
from remora.observe.drain import DrainState, describe, is_over, merged

PATH = "/drain-wait"


class Wait(msgspec.Struct, frozen=True):
    """Whose sessions, for how many seconds at most, how often to look, and whether to annotate the pod first.

    Without a namespace it is that of the kubeconfig.
    """

    pod: str
    namespace: str
    timeout: float
    interval: float
    drain: bool


async def wait_drained(whom: Whom, wait: Wait, *, tell: Callable[[str], None]) -> DrainState:
    """The pod's state when its sessions are gone (`is_over`) or the time is up; `tell` hears of every change meanwhile.

    Raises:
        UsageError: there is no such pod, or it cannot be annotated this way.
        RemoraError: nobody knows of its sessions.
    """
    async with health_ports(whom) as ports:
        pod = NamespacedName(wait.namespace or ports.namespace or "default", wait.pod)
        await _prepare(ports, pod, drain=wait.drain)
        return await _look_again_and_again(ports, pod, wait, tell)


async def _prepare(ports: HealthPorts, pod: NamespacedName, *, drain: bool) -> None:
    if ports.client is None:
        if drain:
            raise UsageError("--drain annotates the pod through the API server, so it cannot be used with --controller")
        return
    try:
        if drain:
            await ports.client.patch(RESOURCES[Pod], pod, {"metadata": {"annotations": {SESSION_DRAIN: "true"}}})
        elif not await ports.client.has(RESOURCES[Pod], pod):
            raise _unknown(pod)
    except ApiServerRefused as error:
        if error.status == 404:
            raise _unknown(pod) from error
        if drain or error.status != 403:
            raise


def _unknown(pod: NamespacedName) -> UsageError:
    return UsageError(f"there is no pod {pod.name} in namespace {pod.namespace}; see `kubectl get pods -A`")


async def _look_again_and_again(ports: HealthPorts, pod: NamespacedName, wait: Wait, tell: Callable[[str], None]) -> DrainState:
    clock = asyncio.get_running_loop().time
    begun = clock()
    said, state = "", None
    while True:
        try:
            state = await _ask(ports, pod)
            line = describe(state)
        except RemoraError as error:
            # A controller that is being replaced is no reason to end the pod's sessions.
            if state is None and clock() - begun >= wait.timeout:
                raise
            line = str(error)
        waited = clock() - begun
        if state is not None and line == describe(state) and is_over(state, waited, timeout=wait.timeout):
            return msgspec.structs.replace(state, is_over=True)
        if line != said:
            tell(line)
            said = line
        if waited >= wait.timeout and state is not None:
            return msgspec.structs.replace(state, is_over=False)
        await asyncio.sleep(max(0.0, min(wait.interval, wait.timeout - waited)))


async def _ask(ports: HealthPorts, pod: NamespacedName) -> DrainState:
    query = {"namespace": pod.namespace, "pod": pod.name, "timeout": "0", "output": "json"}
    answers = await ports.ask(PATH, query, of_several={"digests": "1"})
    if answers.notes:
        raise RemoraError("; ".join(answers.notes))
    try:
        return merged([msgspec.json.decode(body, type=DrainState) for _, body in answers.bodies])
    except msgspec.MsgspecError as error:
        raise RemoraError(f"{answers.bodies[0][0]}: the answer tells nothing of a pod: {error}") from error
