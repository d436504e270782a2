"""All controllers of the local cluster together."""

import asyncio
from pathlib import Path

from remora.cluster.api.registry import Registry
from remora.cluster.api.tokens import Tokens
from remora.cluster.controllers.clusterroles import ClusterRoleAggregation
from remora.cluster.controllers.cronjob import CronJobController
from remora.cluster.controllers.daemonset import DaemonSetController
from remora.cluster.controllers.deployment import DeploymentController
from remora.cluster.controllers.disruption import DisruptionController
from remora.cluster.controllers.endpoints import EndpointsController
from remora.cluster.controllers.endpointslice import EndpointSliceController
from remora.cluster.controllers.garbage import GarbageCollector
from remora.cluster.controllers.job import JobController
from remora.cluster.controllers.namespace import NamespaceController
from remora.cluster.controllers.podgarbage import PodGarbageCollector
from remora.cluster.controllers.replicaset import REPLICATION_CONTROLLERS, ReplicaSetController
from remora.cluster.controllers.statefulset import StatefulSetController
from remora.cluster.controllers.token_secret import TokenSecretController
from remora.cluster.controllers.volumeclaim import VolumeClaimController
from remora.cluster.events import Events

_LASTING = 10 * 365 * 24 * 3600
"""Seconds that a token in a Secret is valid."""
_WITHOUT_OWNERS = frozenset({"events", "leases.coordination.k8s.io"})
"""Written often, and never owned by anything worth following."""


class Controllers:
    """What kube-controller-manager is to a cluster. `ca_certificate` (PEM) goes into every namespace's `kube-root-ca.crt`, and
    with one of `tokens` into Secrets that ask for it. `volumes` is where the folders of PersistentVolumes are."""

    def __init__(self, *, registry: Registry, events: Events, ca_certificate: str, tokens: Tokens, volumes: Path) -> None:
        self._controllers = (
            ClusterRoleAggregation(registry=registry),
            DeploymentController(registry=registry, events=events),
            ReplicaSetController(registry=registry, events=events),
            ReplicaSetController(registry=registry, events=events, resource=REPLICATION_CONTROLLERS),
            StatefulSetController(registry=registry, events=events),
            DaemonSetController(registry=registry, events=events),
            JobController(registry=registry, events=events),
            CronJobController(registry=registry, events=events),
            DisruptionController(registry=registry, events=events),
            EndpointSliceController(registry=registry, events=events),
            EndpointsController(registry=registry, events=events),
            NamespaceController(registry=registry, events=events, ca_certificate=ca_certificate),
            VolumeClaimController(registry=registry, events=events, directory=volumes),
            TokenSecretController(
                registry=registry,
                events=events,
                ca_certificate=ca_certificate,
                issue_token=lambda namespace, account: tokens.issue(namespace, account, lifetime=_LASTING),
            ),
            PodGarbageCollector(registry=registry, events=events),
            GarbageCollector(registry=registry, events=events, passed_over=_WITHOUT_OWNERS),
        )

    async def run(self) -> None:
        """Runs them until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for controller in self._controllers:
                group.create_task(controller.run())
