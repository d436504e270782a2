"""coordination/v1 Lease: who of several replicas leads."""

from remora.kube.objects.meta import KubernetesObject, Wire


class LeaseSpec(Wire, frozen=True):
    """Times are those of the holder's clock, for people; who leads is decided without them."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(KubernetesObject, frozen=True):
    spec: LeaseSpec = LeaseSpec()
