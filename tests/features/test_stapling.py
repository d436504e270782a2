"""What a certificate's issuer says of it, told in the handshake by the real HAProxy."""

import asyncio
import re

import msgspec

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Certificate, HostTls
from remora.plan.outcome import OutcomeKind
from tests.support.certificates import self_signed
from tests.support.models import backend, endpoint, host, model, route
from tests.support.ocsp import Responder, chains
from tests.support.proxy import Pods

STAPLED, TWIN, SILENT, PLAIN = "stapled.example", "twin.example", "silent.example", "plain.example"
USUAL, CHANGED = ProxyOptions(), ProxyOptions(hsts=False)


async def handshake(settings: ProxySettings, name: str) -> str:
    """What openssl tells of one."""
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{settings.https_port}", "-servername", name, "-status")
    client = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await client.communicate()
    return output.decode()


async def wait_until_stapled(settings: ProxySettings, number: int, name: str = STAPLED) -> None:
    async with asyncio.timeout(30):
        while True:
            text = await handshake(settings, name)
            found = re.search(r"Serial Number: ([0-9A-F]+)\s+Cert Status: good", text)
            if found and int(found[1], 16) == number:
                return
            await asyncio.sleep(0.1)


async def test_certificates_are_stapled_renewed_and_stapled_again(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods
) -> None:
    hosts = [host(route(host=name), name=name) for name in (STAPLED, TWIN, SILENT, PLAIN)]
    served = model(hosts, [backend(endpoint("a", await pods.start("a")))])
    plain = Certificate(f"default/{PLAIN}", (Hostname(PLAIN),), self_signed(PLAIN))
    configurator = Configurator(proxy_settings)

    async def apply(pem: bytes, tls: HostTls, options: ProxyOptions = USUAL) -> OutcomeKind:
        name = "default/own+ocsp" if tls.stapled else "default/own"
        own = Certificate(name, (Hostname(STAPLED),), pem, tls)
        # The same certificate in another Secret, and one whose responder is not there.
        twin = msgspec.structs.replace(own, name=f"{name}-twin", hosts=(Hostname(TWIN),))
        silent = Certificate("default/silent+ocsp", (Hostname(SILENT),), unanswered, HostTls(stapled=True))
        wanted = msgspec.structs.replace(served, certificates=(own, twin, plain, silent), options=options)
        outcome = await executor.apply(configurator.configure(wanted))
        assert outcome.kind is not OutcomeKind.FAILED, outcome.error
        return outcome.kind

    async with Responder() as responder:
        first, pem = responder.issue(STAPLED)
        _, unanswered = responder.issue(SILENT, url="http://127.0.0.1:1/ocsp")
        await apply(pem, HostTls())
        assert "no response sent" in await handshake(proxy_settings, STAPLED)
        assert await apply(pem, HostTls(stapled=True)) is OutcomeKind.RUNTIME
        await wait_until_stapled(proxy_settings, first)
        second, renewed = responder.issue(STAPLED)
        assert await apply(renewed, HostTls(stapled=True)) is OutcomeKind.RUNTIME
        await wait_until_stapled(proxy_settings, second)
        assert await apply(renewed, HostTls(stapled=True), CHANGED) is OutcomeKind.RELOAD
        await wait_until_stapled(proxy_settings, second)
        await wait_until_stapled(proxy_settings, second, TWIN)
        assert SILENT in await handshake(proxy_settings, SILENT)
        text = await handshake(proxy_settings, PLAIN)
        assert "no response sent" in text
        assert f"CN = {PLAIN}" in text or f"CN={PLAIN}" in text  # versions of openssl differ
        assert await apply(renewed, HostTls(), CHANGED) is OutcomeKind.RUNTIME
        assert "no response sent" in await handshake(proxy_settings, STAPLED)


async def test_whatever_is_to_be_stapled_is_loaded(executor: Executor, proxy_settings: ProxySettings) -> None:
    certificates = [
        Certificate(f"default/c{number}+ocsp", (Hostname(f"c{number}.example"),), pem, HostTls(stapled=True))
        for number, (is_stapled, pem) in enumerate(chains().values())
        if is_stapled
    ]
    configurator = Configurator(proxy_settings)
    kinds = []
    for made in (model(), model([], [], certificates), msgspec.structs.replace(model([], [], certificates), options=CHANGED)):
        kinds.append((await executor.apply(configurator.configure(made))).kind)
    assert kinds == [OutcomeKind.START, OutcomeKind.RUNTIME, OutcomeKind.RELOAD]
