"""Whether HAProxy runs just what a controller that starts now would have it run.

What is wanted is computed from the API server's lists by a controller's own steps, from nothing that any controller remembers.
What runs is read over HAProxy's sockets: maps, servers, certificates.
"""

import os
import re
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from remora.apply.adopt import read_running
from remora.apply.runtime import RuntimeSocket
from remora.cli.controller import settings_of
from remora.cli.controller_flags import FLAGS
from remora.cli.flags import parse_flags
from remora.controller.cache import Cache
from remora.controller.session_key import NAME, read_key
from remora.controller.settings import scopes_of
from remora.core.errors import HAProxyError
from remora.core.names import NamespacedName
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.features.session_lifetime import derive_key
from remora.haproxy.layout import Layout
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.kube.objects import Secret
from remora.kube.reflector import Relisted
from remora.kube.wire import Decoder, Page
from remora.plan.decide import Unchanged, decide
from remora.translate import Translator

OWN = "ingress-remora"


async def fetch_wanted(arguments: list[str], kubeconfig: Path) -> Configuration:
    """What a controller with these arguments would configure."""
    settings = settings_of(parse_flags(arguments, FLAGS), {**os.environ, "POD_NAME": "controller-1"})
    scopes = scopes_of(settings)
    cache = Cache(scopes)
    async with ApiClient.open(await connect(str(kubeconfig), "")) as client:
        key = read_key(await client.fetch(Secret, NamespacedName(OWN, NAME)))
        for scope in scopes:
            pages: list[Page] = [page async for page in client.list_pages(scope, Decoder(scope.kind))]
            objects = tuple(obj for page in pages for obj in page.objects)
            cache.take(Relisted(scope, objects, tuple(one for page in pages for one in page.unreadable)))
    routing = msgspec.structs.replace(settings.routing, session_key=key)
    model = Translator(routing).translate(cache.snapshot, None).model
    return Configurator(msgspec.structs.replace(settings.proxy, lifetime_key=derive_key(key))).configure(model)


async def find_difference(wanted: Configuration, layout: Layout) -> str:
    """What HAProxy runs otherwise than wanted; "" if nothing."""
    socket = RuntimeSocket(layout.runtime_socket)
    try:
        plan = decide(await read_running(socket, layout), wanted, layout)
        if not isinstance(plan, Unchanged):
            return str(plan)[:2000]
        for name, certificate in wanted.certificates.items():
            loaded = await _fingerprint(socket, layout.certificate(name))
            meant = x509.load_pem_x509_certificate(certificate.pem).fingerprint(hashes.SHA1())
            if loaded != meant.hex().upper():
                return f"certificate {name} is {loaded}"
    except HAProxyError as error:
        return str(error)
    return ""


async def _fingerprint(socket: RuntimeSocket, path: str) -> str:
    found = re.search(r"^SHA1 FingerPrint: (\w+)", await socket.read(f"show ssl cert {path}"), re.MULTILINE)
    return found[1] if found else "not loaded"
