"""The local cluster's certificates and keys: made once in a directory, loaded afterwards.

A certificate authority signs the certificate of the API server and that of the administrator, who is in group `system:masters`.
"""

import base64
import ipaddress
import secrets
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ALWAYS = (
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
"""Names and addresses by which every API server is known."""

_LIFETIME = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)


class Pki(msgspec.Struct, frozen=True, kw_only=True):
    """PEM texts, the key that signs service account tokens, and where the API server's own certificate lies."""

    directory: Path
    ca: bytes
    admin_certificate: bytes
    admin_key: bytes
    token_key: bytes

    def __repr__(self) -> str:
        return f"Pki({self.directory}, keys=<redacted>)"

    def server_context(self) -> ssl.SSLContext:
        """TLS for the API server; a client may show a certificate of our authority, and need not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.directory / "server.crt", self.directory / "server.key")
        context.load_verify_locations(cadata=self.ca.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context


def read_pki(directory: Path, addresses: Sequence[str] = ()) -> Pki:
    """What lies in the directory, with what is missing, expired or made for other addresses made anew."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC)
    _provide_authority(directory, now)
    _provide_server(directory, [*ALWAYS, *addresses], now)
    _provide_admin(directory, now)
    token_key = directory / "token.key"
    if not token_key.exists():
        _write(token_key, secrets.token_bytes(32))
    return Pki(
        directory=directory,
        ca=(directory / "ca.crt").read_bytes(),
        admin_certificate=(directory / "admin.crt").read_bytes(),
        admin_key=(directory / "admin.key").read_bytes(),
        token_key=token_key.read_bytes(),
    )


def write_kubeconfig(path: Path, *, server: str, name: str, pki: Pki, namespace: str = "default") -> None:
    """A kubeconfig with the administrator's certificate; `name` names cluster, user and context. Others cannot read it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _base64(pki.ca)}}],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _base64(pki.admin_certificate),
                    "client-key-data": _base64(pki.admin_key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, yaml.safe_dump(config, sort_keys=False).encode())


def _provide_authority(directory: Path, now: datetime) -> None:
    certificate, key = directory / "ca.crt", directory / "ca.key"
    if key.exists() and _is_current(certificate, now):
        return
    made = ec.generate_private_key(ec.SECP256R1())
    name = _subject("remora-ca")
    builder = _builder(name, name, made, now).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(made.public_key()), critical=False)
    _write_pair(certificate, builder.sign(made, hashes.SHA256()), made)
    for stale in ("server.crt", "admin.crt"):
        (directory / stale).unlink(missing_ok=True)


def _provide_server(directory: Path, addresses: Sequence[str], now: datetime) -> None:
    path = directory / "server.crt"
    if _is_current(path, now) and set(addresses) <= _names_of(path):
        return
    names = x509.SubjectAlternativeName([_general_name(text) for text in dict.fromkeys(addresses)])
    _issue(directory, "server", _subject("kube-apiserver"), ExtendedKeyUsageOID.SERVER_AUTH, now=now, names=names)


def _provide_admin(directory: Path, now: datetime) -> None:
    if not _is_current(directory / "admin.crt", now):
        subject = _subject("kubernetes-admin", organization="system:masters")
        _issue(directory, "admin", subject, ExtendedKeyUsageOID.CLIENT_AUTH, now=now)


def _issue(
    directory: Path,
    stem: str,
    subject: x509.Name,
    usage: x509.ObjectIdentifier,
    *,
    now: datetime,
    names: x509.SubjectAlternativeName | None = None,
) -> None:
    authority = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
    authority_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, authority.subject, key, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    _write_pair(directory / f"{stem}.crt", builder.sign(authority_key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def _subject(name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _is_current(path: Path, now: datetime) -> bool:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now > _RENEW_BEFORE
    except (FileNotFoundError, ValueError):
        return False


def _names_of(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


def _write_pair(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path.with_suffix(".key"), encoded)
    _write(path, certificate.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by its owner only."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
