"""core/v1 Secret. Its values print redacted."""

from remora.kube.objects.meta import KubernetesObject


class Secret(KubernetesObject, frozen=True):
    type: str = "Opaque"
    data: dict[str, bytes] | None = None
    """Decoded from base64 by msgspec."""

    def __repr__(self) -> str:
        return f"Secret({self.key}, keys={sorted(self.data or ())})"
