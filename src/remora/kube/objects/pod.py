"""core/v1 Pod, as far as an Ingress controller looks at it."""

import msgspec

from remora.kube.objects.meta import KubernetesObject, Wire


class PodCondition(Wire, frozen=True):
    type: str
    status: str


class PodStatus(Wire, frozen=True):
    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    conditions: tuple[PodCondition, ...] | None = ()


class Pod(KubernetesObject, frozen=True):
    status: PodStatus = PodStatus()
