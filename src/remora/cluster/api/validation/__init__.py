"""What Kubernetes refuses in an object beyond its shape, field by field and in its words (`Validate*`). Pure.

The checks are those that a person's mistakes meet; what only another API client could get wrong is stored as given.
"""

from collections.abc import Iterator

from remora.cluster.api.custom.definition import check_definition, check_definition_update
from remora.cluster.api.custom.rows import DEFINITIONS
from remora.cluster.api.errors import Cause
from remora.cluster.api.validation.admission import check_webhooks
from remora.cluster.api.validation.batch import BATCH, BATCH_UPDATES
from remora.cluster.api.validation.fields import Check, CheckUpdate, Object
from remora.cluster.api.validation.ingress import check_ingress
from remora.cluster.api.validation.kept import KEPT, KEPT_UPDATES
from remora.cluster.api.validation.others import check_config_map, check_immutable, check_secret
from remora.cluster.api.validation.pods import check_pod, check_pod_update
from remora.cluster.api.validation.rbac import check_binding, check_binding_update, check_role
from remora.cluster.api.validation.services import check_service
from remora.cluster.api.validation.workloads import check_selector_update, check_workload

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

_CHECKS: dict[str, Check] = {
    DEFINITIONS: check_definition,
    f"clusterrolebindings.{_RBAC}": check_binding,
    f"clusterroles.{_RBAC}": check_role,
    f"mutatingwebhookconfigurations.{_ADMISSION}": check_webhooks,
    f"validatingwebhookconfigurations.{_ADMISSION}": check_webhooks,
    f"rolebindings.{_RBAC}": check_binding,
    f"roles.{_RBAC}": check_role,
    "daemonsets.apps": check_workload,
    "deployments.apps": check_workload,
    "ingresses.networking.k8s.io": check_ingress,
    "pods": check_pod,
    "replicasets.apps": check_workload,
    "secrets": check_secret,
    "services": check_service,
    "statefulsets.apps": check_workload,
    "configmaps": check_config_map,
    **BATCH,
    **KEPT,
}

_UPDATE_CHECKS: dict[str, CheckUpdate] = {
    DEFINITIONS: check_definition_update,
    f"clusterrolebindings.{_RBAC}": check_binding_update,
    f"rolebindings.{_RBAC}": check_binding_update,
    "configmaps": check_immutable,
    "daemonsets.apps": check_selector_update,
    "deployments.apps": check_selector_update,
    "pods": check_pod_update,
    "replicasets.apps": check_selector_update,
    "secrets": check_immutable,
    **BATCH_UPDATES,
    **KEPT_UPDATES,
}


def check(resource: str, obj: Object) -> Iterator[Cause]:
    """Everything wrong with an object whose defaults are filled in, apart from its metadata."""
    found = _CHECKS.get(resource)
    if found is not None:
        yield from found(obj)


def check_update(resource: str, obj: Object, before: Object) -> Iterator[Cause]:
    """Everything that may not change and does."""
    found = _UPDATE_CHECKS.get(resource)
    if found is not None:
        yield from found(obj, before)


__all__ = ["check", "check_update"]
