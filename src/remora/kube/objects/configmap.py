"""core/v1 ConfigMap."""

from remora.kube.objects.meta import KubernetesObject


class ConfigMap(KubernetesObject, frozen=True):
    data: dict[str, str] | None = None
