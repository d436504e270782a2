"""Who asks for a certificate: a CertificateSigningRequest says so in its `spec`, which nobody can write. Pure."""

from remora.cluster.api.caller import current_caller
from remora.cluster.api.errors import Object

SIGNING_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_OWN = ("username", "uid", "groups", "extra")


def admit_signing_request(request: Object, before: Object | None) -> Object:
    """The request as its maker's (certificates `strategy.go`); afterwards what it asks for stays as it is."""
    if before is not None:
        return {**request, "spec": before.get("spec") or {}}
    spec = {name: value for name, value in (request.get("spec") or {}).items() if name not in _OWN}
    if caller := current_caller():
        identity = caller.identity
        extra = {name: list(values) for name, values in identity.extra.items()}
        asker = {"username": identity.username, "uid": identity.uid, "groups": list(identity.groups), "extra": extra}
        spec |= {name: value for name, value in asker.items() if value}
    return {**request, "spec": spec}
