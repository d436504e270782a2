"""Workloads, pods and what surrounds them, as the dashboard's pages read them. Pure.

One struct serves all kinds that make pods, since they differ in few fields and the pages show them in one list. Values of
ConfigMaps and Secrets are never kept: only their keys leave the decoder.
"""

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects.ingress import IngressSpec, IngressStatus
from remora.kube.objects.meta import Wire
from remora.kube.objects.service import ServicePort, ServiceStatus


class Owner(Wire, frozen=True):
    """Who made an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(Wire, frozen=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()


class Object(Wire, frozen=True):
    """What all of them have. The metadata names no annotations: those of a Secret may quote its values."""

    metadata: Meta

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.metadata.namespace, self.metadata.name)

    @property
    def owner(self) -> Owner | None:
        """Whoever looks after it, if anybody does."""
        return next((owner for owner in self.metadata.owner_references if owner.controller), None)


class Condition(Wire, frozen=True):
    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class Running(Wire, frozen=True):
    started_at: str | None = None


class Waiting(Wire, frozen=True):
    reason: str = ""
    message: str = ""


class Terminated(Wire, frozen=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class State(Wire, frozen=True):
    """One of the three is set; none means that the container waits."""

    running: Running | None = None
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Wire, frozen=True):
    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: State = State()
    last_state: State = State()


class HttpGet(Wire, frozen=True):
    path: str = ""
    port: int | str = 0
    host: str = ""
    scheme: str = "HTTP"


class TcpSocket(Wire, frozen=True):
    port: int | str = 0


class Exec(Wire, frozen=True):
    command: tuple[str, ...] = ()


class Grpc(Wire, frozen=True):
    port: int = 0
    service: str | None = None


class Probe(Wire, frozen=True):
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: Exec | None = None
    grpc: Grpc | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3


class ContainerPort(Wire, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(Wire, frozen=True):
    name: str
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str | None = None


class PodSpec(Wire, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""


class PodStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TemplateMeta(Wire, frozen=True):
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class Template(Wire, frozen=True):
    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()


class JobSpec(Wire, frozen=True):
    template: Template = Template()


class JobTemplate(Wire, frozen=True):
    spec: JobSpec = JobSpec()


class WorkloadSpec(Wire, frozen=True):
    """Of all kinds that make pods; what a kind does not have stays as it is here."""

    replicas: int | None = None
    template: Template = Template()
    job_template: JobTemplate | None = None
    paused: bool = False
    suspend: bool | None = None
    schedule: str = ""
    completions: int | None = None
    parallelism: int | None = None


class ActiveJob(Wire, frozen=True):
    name: str = ""


class WorkloadStatus(Wire, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    active: int | tuple[ActiveJob, ...] = 0
    """A number of pods for a Job, the Jobs themselves for a CronJob."""
    ready: int | None = None
    succeeded: int = 0
    failed: int = 0
    last_schedule_time: str | None = None
    conditions: tuple[Condition, ...] = ()


class Workload(Object, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class EventSeries(Wire, frozen=True):
    count: int = 0
    last_observed_time: str | None = None


class Involved(Wire, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EventSource(Wire, frozen=True):
    component: str = ""


class Event(Object, frozen=True):
    involved_object: Involved = Involved()
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 0
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""


class ServiceSpec(Wire, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = msgspec.field(default_factory=dict)


class Service(Object, frozen=True):
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class Ingress(Object, frozen=True):
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class NodeSpec(Wire, frozen=True):
    unschedulable: bool = False


class NodeAddress(Wire, frozen=True):
    type: str = ""
    address: str = ""


class NodeInfo(Wire, frozen=True):
    kubelet_version: str = ""


class NodeStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeInfo = NodeInfo()
    capacity: dict[str, str] = msgspec.field(default_factory=dict)


class Node(Object, frozen=True):
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Namespace(Object, frozen=True):
    pass


class Holder(Object, frozen=True):
    """A ConfigMap or a Secret, by its keys. `type` is a Secret's."""

    type: str = ""
    keys: tuple[str, ...] = ()


class _WireHolder(Object, frozen=True):
    type: str = ""
    data: dict[str, msgspec.Raw] | None = None
    binary_data: dict[str, msgspec.Raw] | None = None


def read_holder(raw: bytes | msgspec.Raw) -> Holder:
    """A ConfigMap or Secret without its values.

    Raises:
        msgspec.MsgspecError: it is neither.
    """
    found = msgspec.json.decode(raw, type=_WireHolder)
    return Holder(found.metadata, found.type, tuple(sorted({**(found.data or {}), **(found.binary_data or {})})))
