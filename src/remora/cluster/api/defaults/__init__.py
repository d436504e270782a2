"""The values that Kubernetes fills in for fields that were left out (`SetDefaults_*`, and what the strategies set at creation).

Every function changes the object that it is given, which is the registry's own copy. Filling in twice changes nothing.
"""

from remora.cluster.api.custom.definition import default_definition
from remora.cluster.api.custom.rows import DEFINITIONS
from remora.cluster.api.defaults.admission import ADMISSION
from remora.cluster.api.defaults.kept import KEPT
from remora.cluster.api.defaults.others import OTHERS
from remora.cluster.api.defaults.pods import default_pod, default_pod_status
from remora.cluster.api.defaults.services import default_service
from remora.cluster.api.defaults.values import Default, Object
from remora.cluster.api.defaults.workloads import WORKLOADS

_DEFAULTS: dict[str, Default] = {
    "pods": default_pod,
    "services": default_service,
    DEFINITIONS: default_definition,
    **WORKLOADS,
    **OTHERS,
    **KEPT,
    **ADMISSION,
}


def set_defaults(resource: str, obj: Object) -> None:
    """Fills in what was left out of an object of the storage version that is about to be stored."""
    default = _DEFAULTS.get(resource)
    if default is not None:
        default(obj)


def set_status_defaults(resource: str, obj: Object) -> None:
    """Fills in what follows from the rest of a status that is about to be stored."""
    if resource == "pods":
        default_pod_status(obj)


__all__ = ["set_defaults", "set_status_defaults"]
