"""Which containers are tailed, and which of their instances has a log. Pure."""

import re
from collections.abc import Iterator

import msgspec

from remora.core.errors import UsageError
from remora.core.names import NamespacedName
from remora.kube.objects.running_pod import ContainerStatus, RunningPod

Pattern = re.Pattern[str]


class Choice(msgspec.Struct, frozen=True):
    """Pods by a pattern of their names, containers by a pattern of theirs."""

    pods: Pattern
    containers: Pattern
    init_containers: bool = False


class Source(msgspec.Struct, frozen=True, order=True):
    """A container of a pod. `is_alone` says that no other container of the pod is tailed."""

    namespace: str
    pod: str
    uid: str
    container: str
    is_alone: bool = True

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.namespace, self.pod)

    @property
    def log_path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"


def parse_pattern(text: str, where: str) -> Pattern:
    """A regular expression, given at `where`.

    Raises:
        UsageError: it is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{where} {text!r} is no regular expression: {error}; a dot and stars are written '.*'") from error


def sources_of(pod: RunningPod, choice: Choice) -> Iterator[Source]:
    """The containers of a pod that are meant."""
    if not choice.pods.search(pod.metadata.name):
        return
    spec = pod.spec
    initial = spec.init_containers if choice.init_containers else ()
    names = [one.name for one in (*initial, *spec.containers, *spec.ephemeral_containers)]
    chosen = [name for name in names if choice.containers.search(name)]
    meta = pod.metadata
    for name in chosen:
        yield Source(meta.namespace, meta.name, meta.uid, name, len(chosen) == 1)


class Instance(msgspec.Struct, frozen=True):
    """One life of a container: which, how many there were before it, and whether it is over."""

    id: str
    restarts: int
    is_over: bool


def instance_of(status: ContainerStatus | None) -> Instance | None:
    """The instance whose log can be read; None if none has begun."""
    if status is None:
        return None
    state, name = status.state, status.container_id or str(status.restart_count)
    if state.running:
        return Instance(name, status.restart_count, is_over=False)
    if state.terminated or status.last_state.terminated:
        return Instance(name, status.restart_count, is_over=True)
    return None


def end_of(status: ContainerStatus | None) -> str:
    """How the last instance ended, in words; "" if that is not said."""
    ended = status and (status.state.terminated or status.last_state.terminated)
    if not ended:
        return ""
    return f"{ended.reason or 'ended'}, exit code {ended.exit_code}"
