"""From Secrets to certificates (behaviour reference, part B, section 6).

What is not a certificate with its key never reaches the proxy: the default certificate is served instead, https goes on
working, and a Problem says why. An expired certificate is served; that is its owner's affair.
"""

from typing import ClassVar

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import Secret
from remora.translate.view import Unit, View


class KeyPair(msgspec.Struct, frozen=True, gc=False):
    """A certificate chain with its key as PEM, or why there is none."""

    pem: bytes = b""
    refusal: str = ""

    def __repr__(self) -> str:
        return f"KeyPair(refusal={self.refusal!r})"


def parse_key_pair(certificate: bytes, key: bytes) -> KeyPair:
    """The chain and its key, written anew: text between the blocks would end a runtime command of HAProxy early."""
    try:
        chain = x509.load_pem_x509_certificates(certificate)
        public = chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return KeyPair(refusal="tls.crt is not a certificate in PEM")
    try:
        # The key is compared with the certificate's; testing its primes would cost 50 ms.
        private = load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
        own_public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return KeyPair(refusal="tls.key is not an unencrypted private key in PEM")
    if own_public != public:
        return KeyPair(refusal="tls.key is not the key of the certificate in tls.crt")
    return KeyPair(pem=b"".join(one.public_bytes(Encoding.PEM) for one in chain) + key_pem)


class KeyPairUnit(Unit[KeyPair], frozen=True):
    """The certificate that one Secret holds. Its type does not matter."""

    secret: NamespacedName

    def run(self, view: View) -> KeyPair:
        secret = view.find(Secret, self.secret)
        if secret is None:
            return KeyPair(refusal="it does not exist")
        data = secret.data or {}
        for key in ("tls.crt", "tls.key"):
            if not data.get(key):
                return KeyPair(refusal=f"it has no {key}")
        return parse_key_pair(data["tls.crt"], data["tls.key"])


class RefusalUnit(Unit[str], frozen=True):
    """Why a Secret cannot be used, "" if it can: so that a renewal does not run again all who only ask for that."""

    layer: ClassVar[int] = 1
    secret: NamespacedName

    def run(self, view: View) -> str:
        return view.ask(KeyPairUnit(self.secret)).refusal


class CoveredNamesUnit(Unit[tuple[str, ...]], frozen=True):
    """The DNS names in the certificate of a Secret, in lower case; none if it cannot be used."""

    layer: ClassVar[int] = 1
    secret: NamespacedName

    def run(self, view: View) -> tuple[str, ...]:
        pair = view.ask(KeyPairUnit(self.secret))
        if pair.refusal:
            return ()
        try:
            names = x509.load_pem_x509_certificates(pair.pem)[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            return ()
        return tuple(name.lower() for name in names.value.get_values_for_type(x509.DNSName))


class DefaultCertificate(msgspec.Struct, frozen=True, gc=False):
    """The certificate of hosts that have none, if one was named and can be used."""

    key_pair: KeyPair | None = None
    problems: tuple[Problem, ...] = ()


class DefaultCertificateUnit(Unit[DefaultCertificate], frozen=True):
    """The Secret that the flag `--default-ssl-certificate` names."""

    layer: ClassVar[int] = 1

    def run(self, view: View) -> DefaultCertificate:
        secret = view.settings.default_ssl_certificate
        if secret is None:
            return DefaultCertificate()
        key_pair = view.ask(KeyPairUnit(secret))
        if not key_pair.refusal:
            return DefaultCertificate(key_pair)
        message = f"the Secret named by --default-ssl-certificate cannot be used: {key_pair.refusal}"
        consequence = "a generated certificate is served"
        problem = Problem(ObjectRef("Secret", secret), "data", "CertificateUnusable", message, consequence, Severity.ERROR)
        return DefaultCertificate(problems=(problem,))
