"""What DNS answered for a name: no object of the API, but one of the things that routing depends on."""

from remora.kube.objects.meta import KubernetesObject


class DnsAnswer(KubernetesObject, frozen=True):
    """The addresses behind the name `metadata.name`, as it is written in Services; `metadata.namespace` is "".

    `failure` says why there are none; with addresses it is "", also while an older answer is used because DNS is silent.
    """

    addresses: tuple[str, ...] = ()
    failure: str = ""
