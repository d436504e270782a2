"""The usual kubeconfig: one file, a token or a certificate.

`kubernetes_asyncio` reads every kind, for 0.4 s of CPU and 38 MB of imports that stay. So it is left out where it is not
needed; whatever is unusual or wrong in a file goes to it, and it says what it says.
"""

import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from remora.kube.credentials import Connection

N = TypeVar("N", bound="_Named")


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of what is known in full: another field may mean that this way to connect is not enough."""


class _Cluster(_Part, frozen=True):
    server: str
    certificate_authority: str = ""
    certificate_authority_data: bytes = b""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    extensions: Any = None


class _User(_Part, frozen=True):
    token: str = ""
    client_certificate: str = ""
    client_certificate_data: bytes = b""
    client_key: str = ""
    client_key_data: bytes = b""


class _Context(_Part, frozen=True):
    cluster: str
    user: str
    namespace: str = ""
    extensions: Any = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _NamedCluster(_Named, frozen=True):
    cluster: _Cluster


class _NamedUser(_Named, frozen=True):
    user: _User


class _NamedContext(_Named, frozen=True):
    context: _Context


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    """Only what is used is read in full, so that an unusual user elsewhere in the file does not matter."""

    clusters: tuple[dict[str, Any], ...] = ()
    users: tuple[dict[str, Any], ...] = ()
    contexts: tuple[dict[str, Any], ...] = ()
    current_context: str = ""


def context_names(paths: str) -> set[str]:
    """The contexts of all files; none if one of them cannot be read, which whoever reads it in full says better."""
    try:
        files = [Path(path).expanduser() for path in paths.split(":") if path]
        read = [msgspec.convert(yaml.safe_load(file.read_bytes()), _File) for file in files if file.is_file()]
    except (OSError, ValueError, yaml.YAMLError):
        return set()
    return {str(one.get("name")) for file in read for one in file.contexts}


def find_plain(paths: str, context: str) -> Connection | None:
    """The connection of a context, or None if it takes more to find it out."""
    files = [path for path in (Path(path).expanduser() for path in paths.split(":") if path) if path.is_file()]
    if len(files) != 1:
        return None
    try:
        file = msgspec.convert(yaml.safe_load(files[0].read_bytes()), _File)
        wanted = _only(file.contexts, context or file.current_context, _NamedContext).context
        cluster = _only(file.clusters, wanted.cluster, _NamedCluster).cluster
        user = _only(file.users, wanted.user, _NamedUser).user
        return _connection(cluster, user, files[0].absolute().parent)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _only(entries: tuple[dict[str, Any], ...], name: str, kind: type[N]) -> N:
    (found,) = (entry for entry in entries if entry.get("name") == name)
    return msgspec.convert(found, kind)


def _connection(cluster: _Cluster, user: _User, directory: Path) -> Connection | None:
    header = f"Bearer {user.token}" if user.token else ""

    async def authorize() -> str:
        return header

    server = cluster.server.rstrip("/")
    is_tls = server.startswith("https:")
    if not (is_tls or server.startswith("http:")):
        return None
    return Connection(
        server, authorize, _ssl_context(cluster, user, directory) if is_tls else None, server_name=cluster.tls_server_name
    )


def _ssl_context(cluster: _Cluster, user: _User, directory: Path) -> ssl.SSLContext:
    """
    Raises:
        ValueError, OSError: certificates or keys cannot be used, or are only half there.
    """
    with ExitStack() as stack:
        authority = _file(stack, cluster.certificate_authority, cluster.certificate_authority_data, directory)
        context = ssl.create_default_context(cafile=authority)
        if cluster.insecure_skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate = _file(stack, user.client_certificate, user.client_certificate_data, directory)
        key = _file(stack, user.client_key, user.client_key_data, directory)
        if certificate:
            context.load_cert_chain(certificate, key)
        elif key:
            raise ValueError("a key without a certificate")
    return context


def _file(stack: ExitStack, path: str, data: bytes, directory: Path) -> str | None:
    """A file with what is given as data or by its path; data goes first. A file of ours is gone when the stack is."""
    if not data:
        return str(directory / path) if path else None
    # `load_cert_chain` takes nothing but files. Nobody else may read this one (mkstemp(3)).
    file = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115
    file.write(data)
    file.flush()
    return file.name
