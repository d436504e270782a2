"""Which kinds the workload pages show, where the API has them, and what may be done to them. Pure."""

import msgspec

from remora.dashboard.workload_objects import (
    Event,
    Holder,
    Ingress,
    Namespace,
    Node,
    Object,
    Pod,
    Service,
    Workload,
)
from remora.kube.resources import Resource


class Sort(msgspec.Struct, frozen=True):
    """A kind of object: its name, where it is, and what its objects decode to."""

    kind: str
    resource: Resource
    shape: type[Object]
    scalable: bool = False
    restartable: bool = False

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def group(self) -> str:
        """The API group, "" for the core one."""
        parts = self.resource.prefix.split("/")
        return parts[2] if parts[1] == "apis" else ""


_APPS, _BATCH, _CORE = "/apis/apps/v1", "/apis/batch/v1", "/api/v1"

DEPLOYMENT = Sort("Deployment", Resource(_APPS, "deployments"), Workload, scalable=True, restartable=True)
STATEFULSET = Sort("StatefulSet", Resource(_APPS, "statefulsets"), Workload, scalable=True, restartable=True)
DAEMONSET = Sort("DaemonSet", Resource(_APPS, "daemonsets"), Workload, restartable=True)
REPLICASET = Sort("ReplicaSet", Resource(_APPS, "replicasets"), Workload, scalable=True)
JOB = Sort("Job", Resource(_BATCH, "jobs"), Workload)
CRONJOB = Sort("CronJob", Resource(_BATCH, "cronjobs"), Workload)
POD = Sort("Pod", Resource(_CORE, "pods"), Pod)
SERVICE = Sort("Service", Resource(_CORE, "services"), Service)
INGRESS = Sort("Ingress", Resource("/apis/networking.k8s.io/v1", "ingresses"), Ingress)
CONFIGMAP = Sort("ConfigMap", Resource(_CORE, "configmaps"), Holder)
SECRET = Sort("Secret", Resource(_CORE, "secrets"), Holder)
NODE = Sort("Node", Resource(_CORE, "nodes", namespaced=False), Node)
EVENT = Sort("Event", Resource(_CORE, "events"), Event)
NAMESPACE = Sort("Namespace", Resource(_CORE, "namespaces", namespaced=False), Namespace)

MAKERS = (DEPLOYMENT, STATEFULSET, DAEMONSET, CRONJOB, JOB, REPLICASET)
"""The kinds that make pods, in the order in which a page lists them."""

SORTS = {sort.plural: sort for sort in (*MAKERS, POD, SERVICE, INGRESS, CONFIGMAP, SECRET, NODE, EVENT, NAMESPACE)}
