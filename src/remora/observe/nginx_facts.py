"""From what Remora knows to what ingress-nginx's metrics say."""

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from cryptography import x509

from remora.model import Model
from remora.observe.nginx_metrics import CertificateFacts, ControllerFacts, ProcessFacts
from remora.plan.outcome import Outcome, OutcomeKind


def facts_after(before: ControllerFacts, outcome: Outcome, *, now: float) -> ControllerFacts:
    """What is told once a Configuration was applied. ingress-nginx's hash is of its configuration, ours of its generation."""
    if outcome.kind is OutcomeKind.FAILED:
        return before._replace(failures=before.failures + 1, last_succeeded=False, config_hash=0)
    return before._replace(
        reloads=before.reloads + (outcome.kind in (OutcomeKind.RELOAD, OutcomeKind.START)),
        last_succeeded=True,
        last_success=now,
        config_hash=zlib.crc32(str(outcome.generation).encode()),
    )


def process_facts(info: Mapping[str, int], *, now: float) -> ProcessFacts:
    """HAProxy's numbers, which begin anew with every worker."""
    return ProcessFacts(
        connections=info.get("CurrConns", 0),
        accepted=info.get("CumConns", 0),
        requests=info.get("CumReq", 0),
        processes=info.get("workers", 0),
        started=now - info.get("oldest", 0) if info else 0.0,
    )


def certificate_facts(model: Model) -> Iterator[CertificateFacts]:
    """The certificates of hosts, and when they end."""
    for one in model.certificates:
        ends, serial = _read(one.pem)
        namespace, _, secret = one.name.partition("/")
        for host in one.hosts or ("_",):
            yield CertificateFacts(host, namespace if secret else "", secret or namespace, serial, ends)


@lru_cache(maxsize=20_000)
def _read(pem: bytes) -> tuple[float, str]:
    """When a certificate ends, and its serial number, which tells it apart."""
    found = x509.load_pem_x509_certificate(pem)
    return found.not_valid_after_utc.timestamp(), f"{found.serial_number:x}"
