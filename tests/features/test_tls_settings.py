"""Session tickets and Diffie-Hellman, as the controller's ConfigMap wants them, on the real HAProxy."""

import asyncio
import base64
import datetime
import socket
import ssl
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Certificate, Model
from remora.plan.outcome import Outcome, OutcomeKind
from tests.features.conftest import new_settings
from tests.support.dh import PRIME_3072, pem_of
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Pods, running_executor

HOST = "web.example"
KEYS = [base64.b64encode(bytes((number,)) * size).decode() for number, size in ((1, 80), (2, 48))]


def tickets(key: str) -> ProxyOptions:
    return ProxyOptions(ssl_session_tickets=True, ssl_session_ticket_key=key)


async def served(pods: Pods) -> Model:
    return model([host(route(host=HOST), name=HOST)], [backend(endpoint("a", await pods.start("a")))])


async def applied(executor: Executor, settings: ProxySettings, made: Model, options: ProxyOptions) -> Outcome:
    outcome = await executor.apply(Configurator(settings).configure(msgspec.structs.replace(made, options=options)))
    assert outcome.kind is not OutcomeKind.FAILED, outcome.error
    return outcome


class Visitor:
    """A client with a session of before, by TLS 1.2, where sessions are there with the handshake."""

    def __init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.session: ssl.SSLSession | None = None

    async def is_known(self, settings: ProxySettings) -> bool:
        """Whether its session, which it keeps, is taken up again."""
        return await asyncio.to_thread(self._connect, settings.https_port)

    def _connect(self, port: int) -> bool:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        with self._context.wrap_socket(plain, server_hostname=HOST, session=self.session) as connection:
            self.session = self.session or connection.session
            return bool(connection.session_reused)


async def test_a_ticket_of_one_replica_is_taken_by_another_and_after_a_reload(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods
) -> None:
    made = await served(pods)
    await applied(executor, proxy_settings, made, tickets(KEYS[0]))
    file = Path(proxy_settings.state_directory, "tls", "tickets.keys")
    assert file.stat().st_mode & 0o777 == 0o600
    visitor = Visitor()
    assert not await visitor.is_known(proxy_settings)
    assert visitor.session
    assert visitor.session.has_ticket
    with new_settings() as other_settings:
        async with running_executor(other_settings) as other:
            await applied(other, other_settings, made, tickets(KEYS[0]))
            assert await visitor.is_known(other_settings)
            outcome = await applied(other, other_settings, made, tickets(KEYS[1]))
            assert (outcome.kind, outcome.reasons) == (
                OutcomeKind.RELOAD,
                ("the ConfigMap's ssl-session-ticket-key changed",),
            )
            assert KEYS[1] not in repr(outcome)
            async with asyncio.timeout(30):
                while await visitor.is_known(other_settings):
                    await asyncio.sleep(0.1)  # the old worker has taken a last connection
    changed = msgspec.structs.replace(tickets(KEYS[0]), hsts=False)
    assert (await applied(executor, proxy_settings, made, changed)).kind is OutcomeKind.RELOAD
    assert await visitor.is_known(proxy_settings)
    await applied(executor, proxy_settings, made, ProxyOptions())
    assert not file.exists()


@pytest.fixture(scope="module")
def rsa_certificate() -> bytes:
    """Ciphers with Diffie-Hellman want one of RSA."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding) + private


async def handshake(settings: ProxySettings) -> str:
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{settings.https_port}", "-servername", HOST, "-tls1_2")
    client = await asyncio.create_subprocess_exec(
        *(*command, "-cipher", "DHE-RSA-AES256-GCM-SHA384"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await client.communicate()
    return output.decode()


async def test_keys_are_exchanged_with_the_parameters_of_the_configmap(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, rsa_certificate: bytes
) -> None:
    certificate = Certificate(f"default/{HOST}", (Hostname(HOST),), rsa_certificate)
    made = msgspec.structs.replace(await served(pods), certificates=(certificate,))
    await applied(executor, proxy_settings, made, ProxyOptions())
    assert "DH, 2048 bits" in await handshake(proxy_settings)
    outcome = await applied(executor, proxy_settings, made, ProxyOptions(ssl_dh_param=pem_of(PRIME_3072).decode()))
    assert (outcome.kind, outcome.reasons) == (OutcomeKind.RELOAD, ("the ConfigMap's ssl-dh-param changed",))
    async with asyncio.timeout(30):
        while "DH, 3072 bits" not in await handshake(proxy_settings):
            await asyncio.sleep(0.1)  # the old worker has taken a last connection
