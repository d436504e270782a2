"""Certificates that clients show, on the real HAProxy."""

import asyncio
import contextlib
import datetime
import json
import socket
import ssl
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.model import Certificate, ClientCheck, ClientTls, FileKind, HostTls, Model, UpstreamFile
from remora.plan.outcome import OutcomeKind
from tests.support.certificates import self_signed
from tests.support.http2 import Http2Client
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods

NOW = datetime.datetime.now(datetime.UTC)
PEM = serialization.Encoding.PEM


class Issuer:
    """An authority that issues certificates for clients, and takes them back."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = UpstreamFile(FileKind.AUTHORITY, self._sign(self._name, self._key, days=2, is_ca=True).public_bytes(PEM))

        self.below: tuple[bytes, ...] = ()

    def issue(self, name: str, *, days: int = 1) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop, Inc"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._sign(x509.Name(attributes), key, days=days).public_bytes(PEM) + private

    def revoke(self, *pems: bytes) -> UpstreamFile:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(NOW - datetime.timedelta(days=1)).next_update(NOW + datetime.timedelta(days=1))
        for pem in pems:
            number = x509.load_pem_x509_certificate(pem).serial_number
            gone = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - datetime.timedelta(hours=1))
            builder = builder.add_revoked_certificate(gone.build())
        return UpstreamFile(FileKind.REVOCATIONS, builder.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def authority(self, name: str) -> "Issuer":
        """One whose own certificate this one signed."""
        other = Issuer(name)
        other.below = (self._sign(other._name, other._key, days=2, is_ca=True).public_bytes(PEM), *self.below)
        return other

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int, is_ca: bool = False) -> x509.Certificate:
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(NOW - datetime.timedelta(days=9)).not_valid_after(
            NOW + datetime.timedelta(days=days)
        )
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        return builder.sign(self._key, hashes.SHA256())


OURS, THEIRS = Issuer("ours"), Issuer("theirs")
GOOD, EXPIRED, STRANGE = OURS.issue("good"), OURS.issue("expired", days=-1), THEIRS.issue("strange")
GONE = OURS.issue("gone")
REVOKED = OURS.revoke(GONE)
DEMANDED = ClientTls(ClientCheck.DEMANDED, authority=OURS.file.name)
GUARDED, PLAIN, OTHER = "guarded.example", "plain.example", "other.example"


def wanted(
    port: int, clients: ClientTls | None, *, other: ClientTls | None = None, files: tuple[UpstreamFile, ...] = ()
) -> Model:
    """A host that is guarded, one that is not, and perhaps one that is guarded in another way."""
    says = {GUARDED: clients, PLAIN: None, OTHER: other}
    hosts = [host(route(host=name, client_tls=say), name=name) for name, say in says.items()]
    certificates = []
    for name, say in sorted(says.items()):
        tls = HostTls(say.authority, say.revoked) if say else HostTls()
        called = f"default/{name}+{say.trust}" if say and say.trust else f"default/{name}"
        certificates.append(Certificate(called, (Hostname(name),), SERVED[name], tls))
    made = model(hosts, [backend(endpoint("a", port))], certificates)
    names = dict.fromkeys((OURS.file, THEIRS.file, *files))
    return msgspec.structs.replace(made, upstream_files=tuple(sorted(names, key=lambda file: file.name)))


SERVED = {name: self_signed(name) for name in (GUARDED, PLAIN, OTHER)}


class Visitor:
    """Requests over TLS, one by one, with what a client shows in the handshake."""

    def __init__(self, settings: ProxySettings, directory: Path) -> None:
        self._port, self._directory = settings.https_port, directory

    def context(self, pem: bytes | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, version
        if pem:
            file = self._directory / "client.pem"
            file.write_bytes(pem)
            context.load_cert_chain(file)
        return context

    async def ask(
        self,
        asked: str,
        pem: bytes | None = None,
        *,
        sni: str | None = "",
        headers: str = "",
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> tuple[int, dict[str, str], ssl.SSLSession | None, bool]:
        """Status, the headers that the pod got (or those of the answer), the session, and whether it was resumed."""
        name = asked if sni == "" else sni
        return await asyncio.to_thread(self._ask, asked, name, headers, context or self.context(pem), session)

    def _ask(
        self, asked: str, sni: str | None, headers: str, context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> tuple[int, dict[str, str], ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", self._port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=sni, session=session) as tls,
        ):
            tls.sendall(f"GET /x HTTP/1.1\r\nHost: {asked}\r\nConnection: close\r\n{headers}\r\n".encode())
            answer = b""
            while part := tls.recv(65536):
                answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            status = int(first.split()[1])
            told = json.loads(body)["headers"] if status == 200 else dict(line.lower().split(": ", 1) for line in lines)
            return status, told, tls.session, bool(tls.session_reused)


@pytest.fixture
def visitor(proxy_settings: ProxySettings, tmp_path: Path) -> Visitor:
    return Visitor(proxy_settings, tmp_path)


async def applied(executor: Executor, settings: ProxySettings, made: Model) -> Configuration:
    configuration = Configurator(settings).configure(made)
    await executor.apply(configuration)
    return configuration


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("check", "pem", "status", "verdict"),
    [
        (ClientCheck.DEMANDED, GOOD, 200, "SUCCESS"),
        (ClientCheck.DEMANDED, None, 400, ""),
        (ClientCheck.DEMANDED, EXPIRED, 400, ""),
        (ClientCheck.DEMANDED, STRANGE, 400, ""),
        (ClientCheck.DEMANDED, GONE, 400, ""),
        (ClientCheck.OPTIONAL, GOOD, 200, "SUCCESS"),
        (ClientCheck.OPTIONAL, None, 200, "NONE"),
        (ClientCheck.OPTIONAL, EXPIRED, 400, ""),
        (ClientCheck.OPTIONAL, STRANGE, 400, ""),
        (ClientCheck.ANY_AUTHORITY, STRANGE, 200, "FAILED:"),
        (ClientCheck.ANY_AUTHORITY, None, 200, "NONE"),
        (ClientCheck.ANY_AUTHORITY, EXPIRED, 400, ""),
        (ClientCheck.NOTHING, GOOD, 200, "NONE"),
        (ClientCheck.REFUSED, GOOD, 403, ""),
    ],
)
async def test_a_certificate_is_judged_as_the_host_wants(
    check: ClientCheck,
    pem: bytes | None,
    status: int,
    verdict: str,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    visitor: Visitor,
) -> None:
    asks = check not in (ClientCheck.NOTHING, ClientCheck.REFUSED)
    # A list of revoked certificates must be there for every authority of a chain, so a stranger is judged without one.
    revoked = REVOKED.name if asks and pem is not STRANGE else ""
    clients = ClientTls(check, OURS.file.name if asks else "", revoked)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), clients, files=(REVOKED,)))
    got, told, _, _ = await visitor.ask(GUARDED, pem)
    assert got == status
    if status == 200:
        assert told["ssl-client-verify"].startswith(verdict)
        shown = pem is not None and asks
        assert told.get("ssl-client-subject-dn") == (_subject(pem) if shown and pem else None)


def _subject(pem: bytes) -> str:
    name = x509.load_pem_x509_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return f"CN={name!s},O=Shop\\, Inc"


async def test_the_certificate_reaches_the_pod_and_nobody_can_say_so_himself(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor, client: Client
) -> None:
    clients = msgspec.structs.replace(DEMANDED, check=ClientCheck.OPTIONAL, passes_certificate=True)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), clients))
    lies = "".join(
        f"{name}: SUCCESS\r\n"
        for name in ("ssl-client-verify", "SSL-Client-Subject-DN", "ssl_client_verify", "ssl-client_issuer_dn")
    )
    _, told, _, _ = await visitor.ask(GUARDED, GOOD, headers=lies)
    said = {name: value for name, value in told.items() if name.startswith("ssl")}
    assert said.pop("ssl-client-cert").startswith("-----BEGIN%20CERTIFICATE-----%0AMI")
    assert said == {
        "ssl-client-verify": "SUCCESS",
        "ssl-client-subject-dn": "CN=good,O=Shop\\, Inc",
        "ssl-client-issuer-dn": "CN=ours",
    }
    passed = x509.load_pem_x509_certificate(unquote(told["ssl-client-cert"]).encode())
    assert passed == x509.load_pem_x509_certificate(GOOD)
    _, told, _, _ = await visitor.ask(GUARDED, None, headers=lies)
    assert {name: value for name, value in told.items() if name.startswith("ssl")} == {"ssl-client-verify": "NONE"}
    for scheme in ("https", "http"):
        if scheme == "https":
            _, told, _, _ = await visitor.ask(PLAIN, GOOD, headers=lies)
        else:
            sent = {"ssl-client-verify": "SUCCESS", "Ssl_Client-Verify": "SUCCESS"}
            told = json.loads((await client.get(PLAIN, headers=sent))[2])["headers"]
        assert not [name for name in told if name.startswith("ssl")]


async def test_a_connection_for_another_host_or_for_none_does_not_count(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor, client: Client
) -> None:
    other = ClientTls(ClientCheck.DEMANDED, authority=THEIRS.file.name)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), DEMANDED, other=other))
    assert (await visitor.ask(GUARDED, GOOD))[0] == 200
    assert (await visitor.ask(GUARDED.upper() + ".:443", GOOD, sni=GUARDED))[0] == 200
    assert (await visitor.ask(OTHER, STRANGE))[0] == 200
    assert (await visitor.ask(GUARDED, GOOD, sni=PLAIN))[0] == 421
    assert (await visitor.ask(GUARDED, STRANGE, sni=OTHER))[0] == 421
    assert (await visitor.ask(GUARDED, GOOD, sni=OTHER))[0] == 421
    assert (await visitor.ask(GUARDED, GOOD, sni="unknown.example"))[0] == 421
    assert (await visitor.ask(GUARDED, GOOD, sni=None))[0] == 400
    assert (await client.get(GUARDED, "/x", headers={"ssl-client-verify": "SUCCESS"}))[0] == 400
    assert (await visitor.ask(PLAIN, None, sni=GUARDED))[0] == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_at_home_and_opens_no_other_host(
    version: ssl.TLSVersion, executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    """The library lets a session of one host be resumed at any other, with the verdict of the first authority."""
    other = ClientTls(ClientCheck.DEMANDED, authority=THEIRS.file.name)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), DEMANDED, other=other))
    context = visitor.context(STRANGE, version)
    status, _, session, _ = await visitor.ask(OTHER, context=context)
    assert status == 200
    status, told, _, is_resumed = await visitor.ask(OTHER, context=context, session=session)
    assert (status, told["ssl-client-verify"], is_resumed) == (200, "SUCCESS", True)
    status, _, _, is_resumed = await visitor.ask(GUARDED, context=context, session=session)
    assert (status, is_resumed) == (421, True)


async def test_another_authority_or_list_counts_at_once_for_old_connections_and_sessions_too(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(wanted(port, None)))
    outcome = await executor.apply(configurator.configure(wanted(port, DEMANDED)))
    assert outcome.kind is OutcomeKind.RUNTIME
    assert (await visitor.ask(GUARDED))[0] == 400
    context = visitor.context(GONE)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.https_port, ssl=context, server_hostname=GUARDED)
    assert await _status(reader, writer) == 200
    status, _, session, _ = await visitor.ask(GUARDED, context=context)
    assert status == 200
    stricter = msgspec.structs.replace(DEMANDED, revoked=REVOKED.name)
    outcome = await executor.apply(configurator.configure(wanted(port, stricter, files=(REVOKED,))))
    assert outcome.kind is OutcomeKind.RUNTIME
    assert await _status(reader, writer) == 421
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert (await visitor.ask(GUARDED, context=context, session=session))[0] == 421
    assert (await visitor.ask(GUARDED, GONE))[0] == 400
    assert (await visitor.ask(GUARDED, GOOD))[0] == 200
    outcome = await executor.apply(configurator.configure(wanted(port, None)))
    assert outcome.kind is OutcomeKind.RUNTIME
    assert (await visitor.ask(GUARDED))[0] == 200


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(f"GET /x HTTP/1.1\r\nHost: {GUARDED}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
    await reader.readexactly(length)
    return int(head.split()[1])


@pytest.mark.parametrize(
    ("pattern", "status"), [("CN=go+d", 200), ("CN=good,O=Shop", 200), ("CN=oo", 403), ("CN=x|nobody", 403)]
)
async def test_a_subject_is_searched(
    pattern: str, status: int, executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    clients = msgspec.structs.replace(DEMANDED, subject=pattern)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), clients))
    assert (await visitor.ask(GUARDED, GOOD))[0] == status


async def test_clients_without_a_good_certificate_are_sent_to_the_error_page(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    clients = msgspec.structs.replace(DEMANDED, error_page="https://help.example/?a=b")
    await applied(executor, proxy_settings, wanted(await pods.start("a"), clients))
    assert (await visitor.ask(GUARDED, GOOD))[0] == 200
    for pem in (None, EXPIRED, STRANGE):
        status, told, _, _ = await visitor.ask(GUARDED, pem)
        assert (status, told["location"]) == (302, "https://help.example/?a=b")


async def test_a_controller_that_finds_haproxy_running_changes_nothing_of_it(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    clients = msgspec.structs.replace(DEMANDED, revoked=REVOKED.name, subject="CN=go d|CN=good")
    configuration = await applied(executor, proxy_settings, wanted(await pods.start("a"), clients, files=(REVOKED,)))
    second = Executor(proxy_settings)
    await second.start()
    outcome = await second.apply(configuration)
    assert outcome.kind is OutcomeKind.UNCHANGED
    assert (await visitor.ask(GUARDED, GOOD))[0] == 200
    assert (await visitor.ask(GUARDED, GONE))[0] == 400


async def test_http2_connections_are_judged_request_by_request(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    await applied(executor, proxy_settings, wanted(await pods.start("a"), DEMANDED))
    for asked, name, pem, status in (
        (GUARDED, GUARDED, GOOD, "200"),
        (GUARDED, GUARDED, None, "400"),
        (GUARDED, PLAIN, GOOD, "421"),
        (PLAIN, GUARDED, None, "200"),
    ):
        async with Http2Client.connected(proxy_settings.https_port, visitor.context(pem), name) as browser:
            await browser.ask(asked, "/x", scheme="https")
            await browser.send(b"", last=True)
            await browser.read_until()
            assert browser.headers[":status"] == status


async def test_where_underscores_stay_they_imitate_no_dash(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    options = ProxyOptions(enable_underscores_in_headers=True)
    made = msgspec.structs.replace(wanted(await pods.start("a"), None), options=options)
    await applied(executor, proxy_settings, made)
    sent = {"ssl_client_verify": "x", "SSL-Client_Verify": "x", "ssl_client-verify": "x", "ssl-client-verify": "x", "a_b": "x"}
    told = json.loads((await client.get(PLAIN, headers=sent))[2])["headers"]
    assert [name for name in told if name.startswith("ssl") or "_" in name] == ["a_b"]


MIDDLE = OURS.authority("middle")
LOWEST = MIDDLE.authority("lowest")


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("depth", "chain", "status"),
    [
        (1, (MIDDLE.issue("a"), *MIDDLE.below), 200),
        (1, (MIDDLE.issue("b"), *MIDDLE.below, OURS.file.pem), 200),
        (1, (LOWEST.issue("c"), *LOWEST.below), 400),
        (2, (LOWEST.issue("d"), *LOWEST.below), 200),
        (3, (LOWEST.issue("e"),), 400),
    ],
)
async def test_a_chain_is_as_long_as_the_host_wants(
    depth: int,
    chain: tuple[bytes, ...],
    status: int,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    visitor: Visitor,
) -> None:
    clients = msgspec.structs.replace(DEMANDED, depth=depth)
    await applied(executor, proxy_settings, wanted(await pods.start("a"), clients))
    context = visitor.context(b"".join(chain))
    got, _, session, _ = await visitor.ask(GUARDED, context=context)
    assert got == status
    again, _, _, is_resumed = await visitor.ask(GUARDED, context=context, session=session)
    assert is_resumed
    assert (again == 200) is (status == 200)


async def test_ciphers_of_a_host_are_its_own(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    made = wanted(await pods.start("a"), None)
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(made))
    said = HostTls(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:!aNULL")
    own = Certificate("default/own+x", (Hostname(GUARDED),), SERVED[GUARDED], said)
    others = tuple(one for one in made.certificates if one.hosts != own.hosts)
    outcome = await executor.apply(configurator.configure(msgspec.structs.replace(made, certificates=(*others, own))))
    assert outcome.kind is OutcomeKind.RUNTIME
    context = visitor.context(None, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert (await visitor.ask(PLAIN, context=context))[0] == 200
    with pytest.raises(ssl.SSLError):
        await visitor.ask(GUARDED, context=context)
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    assert (await visitor.ask(GUARDED, context=context))[0] == 200


async def test_a_default_certificate_with_the_name_of_a_host_does_not_answer_for_it(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, visitor: Visitor
) -> None:
    made = wanted(await pods.start("a"), DEMANDED)
    default = Certificate("default", (), SERVED[GUARDED])
    await applied(executor, proxy_settings, msgspec.structs.replace(made, certificates=(default, *made.certificates)))
    assert (await visitor.ask(GUARDED, GOOD))[0] == 200
    assert (await visitor.ask(GUARDED, None))[0] == 400
