"""core/v1 Pod with its containers and how they are: for commands that look at pods; routing reads `pod.Pod`."""

import msgspec

from remora.kube.objects.meta import KubernetesObject, Wire


class Container(Wire, frozen=True):
    """A container as its pod wants it."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


class Running(Wire, frozen=True):
    """Since when a container runs."""

    started_at: str | None = None


class Terminated(Wire, frozen=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""


class Waiting(Wire, frozen=True):
    """Why a container does not run yet, or not again."""

    reason: str = ""


class ContainerState(Wire, frozen=True):
    """One of the three, or nothing."""

    running: Running | None = None
    terminated: Terminated | None = None
    waiting: Waiting | None = None


class ContainerStatus(Wire, frozen=True):
    """How a container is; `container_id` names its present instance or, between two, the last one."""

    name: str
    ready: bool = False
    restart_count: int = 0
    container_id: str = msgspec.field(name="containerID", default="")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodSpec(Wire, frozen=True):
    node_name: str = ""
    service_account_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()


class PodStatus(Wire, frozen=True):
    phase: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()


class RunningPod(KubernetesObject, frozen=True):
    """A pod and its containers."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def is_finished(self) -> bool:
        """Whether none of its containers will run again."""
        return self.status.phase in ("Succeeded", "Failed")

    def container_status(self, name: str) -> ContainerStatus | None:
        """How a container is, of whichever sort it is; None if nobody has said."""
        status = self.status
        known = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
        return next((one for one in known if one.name == name), None)
