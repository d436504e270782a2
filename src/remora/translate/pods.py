"""What somebody has written on a pod: that it keeps its sessions and gets no new ones."""

import msgspec

from remora.annotations.registry import VALUE_REFUSED
from remora.annotations.values import ValueRefused, boolean
from remora.core.names import NamespacedName
from remora.core.problem import Problem
from remora.kube.objects import Pod
from remora.kube.objects.pod import SESSION_DRAIN
from remora.translate.view import Unit, View


class PodMark(msgspec.Struct, frozen=True, gc=False):
    """Whether a pod gets no new sessions, and what is wrong with what is written there."""

    is_cordoned: bool = False
    problems: tuple[Problem, ...] = ()


class PodUnit(Unit[PodMark], frozen=True):
    """One pod with an annotation of ours."""

    name: NamespacedName

    def run(self, view: View) -> PodMark:
        pod = view.find(Pod, self.name)
        return read_mark(pod) if pod else PodMark()


def read_mark(pod: Pod) -> PodMark:
    """What the annotation says. A word that cannot be read takes no pod out of service."""
    text = (pod.session_drain or "").strip()
    if not text:
        return PodMark()
    try:
        return PodMark(boolean(text))
    except ValueRefused as refusal:
        message = f"{VALUE_REFUSED}: {refusal}"
        field = f"metadata.annotations[{SESSION_DRAIN}]"
        problem = Problem(pod.ref, field, "AnnotationRefused", message, "the pod goes on getting new sessions")
        return PodMark(problems=(problem,))
