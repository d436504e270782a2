"""An authority whose certificates name a responder, and that responder."""

import asyncio
import base64
import datetime
from types import TracebackType
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

_PEM = serialization.Encoding.PEM
_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


class Responder:
    """Says over http that every certificate of its authority is good."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        builder = self._builder(self._name, self._key)
        self._own = builder.add_extension(x509.BasicConstraints(True, None), True).sign(self._key, hashes.SHA256())
        self._server: asyncio.Server | None = None
        self._issued: dict[int, x509.Certificate] = {}
        self.url = "http://127.0.0.1:1/"
        self.asked: list[int] = []
        """The numbers of the certificates that it was asked about."""

    async def __aenter__(self) -> "Responder":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ocsp"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()

    def issue(self, host: str, *, url: str | None = None, with_issuer: bool = True) -> tuple[int, bytes]:
        """A certificate with its key and its issuer as PEM, and its number. Without a `url` the responder's own is named."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = self.url if url is None else url
        builder = self._builder(_name(host), key)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        if named:
            builder = builder.add_extension(_access(named), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        self._issued[made.serial_number] = made
        chain = made.public_bytes(_PEM) + (self._own.public_bytes(_PEM) if with_issuer else b"")
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return made.serial_number, chain + private

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        number = x509.random_serial_number()
        return x509.CertificateBuilder(self._name, subject, key.public_key(), number, _NOW - _DAY, _NOW + _DAY)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, *_ = (await reader.readline()).decode().split()
        length = 0
        while line := (await reader.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = await reader.readexactly(length) if method == "POST" else base64.b64decode(unquote(path.rpartition("/ocsp/")[2]))
        answer = self._answer(ocsp.load_der_ocsp_request(body).serial_number)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: {len(answer)}\r\n\r\n"
        writer.write(head.encode() + answer)
        writer.close()

    def _answer(self, number: int) -> bytes:
        self.asked.append(number)
        builder = ocsp.OCSPResponseBuilder().add_response(
            self._issued[number], self._own, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, _NOW - _DAY, _NOW + _DAY, None, None
        )
        response = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, self._own).sign(self._key, hashes.SHA256())
        return response.public_bytes(serialization.Encoding.DER)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def chains(url: str = "http://127.0.0.1:1/") -> dict[str, tuple[bool, bytes]]:
    """Chains with their keys as PEM, and whether HAProxy is to be asked to staple them, by what is special about them."""
    key, other, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    authority = (x509.BasicConstraints(True, None), True)
    named = (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    issuer = _certificate("ca", key, "ca", key, authority)
    of_key = _certificate("ca", key, "ca", key, authority, named)
    unfit = _certificate("ca", key, "ca", key, authority, (_usage(signs=False), True))
    fit = _certificate("ca", key, "ca", key, authority, (_usage(signs=True), True))
    stranger = _certificate("other", other, "other", other, authority)
    asks = (_access(url), False)

    def issued(*extensions: tuple[x509.ExtensionType, bool], by: ec.EllipticCurvePrivateKey = key) -> x509.Certificate:
        return _certificate("a.example", leaf, "ca", by, *extensions)

    def says_issuer(number: int) -> tuple[x509.ExtensionType, bool]:
        return x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(_name("ca"))], number), False

    def says_key(of: ec.EllipticCurvePrivateKey) -> tuple[x509.ExtensionType, bool]:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(of.public_key()), False

    made = {
        "usual": (True, (issued(asks), issuer)),
        "a stranger between": (True, (issued(asks), stranger, issuer)),
        "an issuer that may sign": (True, (issued(asks), fit)),
        "the issuer's key is named": (True, (issued(asks, says_key(key)), of_key)),
        "the issuer's number is named": (True, (issued(asks, says_issuer(issuer.serial_number)), issuer)),
        "no issuer": (False, (issued(asks),)),
        "no responder": (False, (issued(), issuer)),
        "a responder by https": (False, (issued((_access("https://a.example/"), False)), issuer)),
        "a responder with a blank": (False, (issued((_access("http://a.example/ x"), False)), issuer)),
        "another has signed": (False, (issued(asks, by=other), issuer)),
        "an issuer that may not sign": (False, (issued(asks), unfit)),
        "another key is named": (False, (issued(asks, says_key(other)), of_key)),
        "another number is named": (False, (issued(asks, says_issuer(5)), issuer)),
        "must staple, and nobody to ask": (False, (issued((x509.TLSFeature([x509.TLSFeatureType.status_request]), False)),)),
    }
    private = leaf.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        what: (stapled, b"".join(one.public_bytes(_PEM) for one in chain) + private) for what, (stapled, chain) in made.items()
    }


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: tuple[x509.ExtensionType, bool],
) -> x509.Certificate:
    number = x509.random_serial_number()
    builder = x509.CertificateBuilder(_name(issuer), _name(subject), key.public_key(), number, _NOW - _DAY, _NOW + _DAY)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _access(url: str) -> x509.AuthorityInformationAccess:
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, signs, signs, False, False)
