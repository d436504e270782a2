"""Whether clients can be told, in the handshake, what the issuer of a certificate says of it (OCSP).

HAProxy does not load at all with a certificate that it is to staple and cannot, and that would cost every host its own. So
nothing is stapled of which it is not sure here that HAProxy finds the issuer and whom to ask.
"""

import re
from typing import ClassVar, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID

from remora.annotations.configmap import TlsSettings
from remora.core.names import NamespacedName
from remora.translate.certificates import KeyPairUnit
from remora.translate.ingress import DefaultsUnit
from remora.translate.view import Unit, View

_E = TypeVar("_E", bound=x509.ExtensionType)

_RESPONDER = re.compile(r"http://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[!-~]{0,500})?")


class CanStapleUnit(Unit[bool], frozen=True):
    """Whether the certificate of a Secret names a responder and comes with its issuer."""

    layer: ClassVar[int] = 1
    secret: NamespacedName

    def run(self, view: View) -> bool:
        pair = view.ask(KeyPairUnit(self.secret))
        return not pair.refusal and can_staple(pair.pem)


def is_stapled(view: View, secret: NamespacedName | None) -> bool:
    """Whether the ConfigMap asks for it and the Secret's certificate allows it."""
    is_wanted = secret is not None and view.ask(DefaultsUnit()).of(TlsSettings).ocsp
    return is_wanted and secret is not None and view.ask(CanStapleUnit(secret))


def can_staple(pem: bytes) -> bool:
    """Of a chain in PEM, the certificate itself first."""
    try:
        certificate, *others = x509.load_pem_x509_certificates(pem)
        return _has_responder(certificate) and any(_has_issued(other, certificate) for other in others)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False


def _has_responder(certificate: x509.Certificate) -> bool:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return False
    found = [one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    if not found or not isinstance(found[0], x509.UniformResourceIdentifier):
        return False
    return _RESPONDER.fullmatch(found[0].value) is not None


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """As OpenSSL judges it: by signature, by key identifiers, and by what the issuer's key may be used for."""
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    usage = _find(issuer, x509.KeyUsage)
    if usage and not usage.key_cert_sign:
        return False
    named = _find(certificate, x509.AuthorityKeyIdentifier)
    if named is None:
        return True
    if named.authority_cert_serial_number not in (None, issuer.serial_number):
        return False
    if named.authority_cert_issuer and list(named.authority_cert_issuer) != [x509.DirectoryName(issuer.issuer)]:
        return False
    own = _find(issuer, x509.SubjectKeyIdentifier)
    return named.key_identifier is None or own is None or own.digest == named.key_identifier


def _find(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
