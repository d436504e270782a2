"""core/v1 Node, as far as an Ingress controller looks at it: where it is itself."""

from remora.kube.objects.meta import KubernetesObject

ZONE_LABEL = "topology.kubernetes.io/zone"


class Node(KubernetesObject, frozen=True):
    @property
    def zone(self) -> str:
        """The zone that the node is in, "" if it is not said."""
        return self.metadata.labels.get(ZONE_LABEL, "")
