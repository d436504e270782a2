"""core/v1 Pod, its metadata alone: EndpointSlices know the rest that routing asks of pods."""

from remora.kube.objects.meta import KubernetesObject

SESSION_DRAIN = "remora.io/session-drain"
"""The annotation by which a pod keeps its sessions and gets no new ones."""


class Pod(KubernetesObject, frozen=True):
    """A pod, as far as somebody has written something for us on it."""

    @property
    def session_drain(self) -> str | None:
        """What the annotation says; None if it is not there."""
        return self.metadata.annotations.get(SESSION_DRAIN)


def is_marked(pod: KubernetesObject) -> bool:
    """Whether a pod carries the annotation. All others need not be kept."""
    return SESSION_DRAIN in pod.metadata.annotations
