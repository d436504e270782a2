"""How to reach an API server and who to be there: from inside a cluster, or from a kubeconfig."""

import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from remora.core.errors import ConfigurationError

SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where Kubernetes mounts token, ca.crt and namespace; `REMORA_SERVICE_ACCOUNT_DIR` names another place."""

Authorize = Callable[[], Awaitable[str]]
"""The value of the Authorization header for the next request; "" for none."""


class Connection(msgspec.Struct, frozen=True):
    """`server` is the URL without a slash at its end. `namespace` is the pod's own, "" outside a cluster."""

    server: str
    authorize: Authorize
    ssl_context: ssl.SSLContext | None = None
    server_name: str = ""
    """The name to ask for and to expect in the certificate, if not the URL's."""
    namespace: str = ""
    proxy: str = ""
    """The URL of an HTTP proxy on the way, "" for none."""


class TokenFile:
    """A bearer token in a file that is replaced from time to time (projected tokens live for an hour)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] = (0, 0)
        self._value = ""

    async def authorize(self) -> str:
        """The header with the token that the file holds now; with the last one if the file cannot be read."""
        try:
            state = self._path.stat()
            if (state.st_mtime_ns, state.st_ino) != self._read_at:
                self._value = self._path.read_text().strip()
                self._read_at = (state.st_mtime_ns, state.st_ino)
        except OSError as error:
            if not self._value:
                raise ConfigurationError(
                    f"{self._path}: the service account's token cannot be read: {error.strerror}"
                ) from error
        return f"Bearer {self._value}"


def is_in_cluster(environ: Mapping[str, str]) -> bool:
    """Whether this is a pod."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST"))


def in_cluster(environ: Mapping[str, str]) -> Connection:
    """The connection that every pod is given.

    Raises:
        ConfigurationError: variables or files that Kubernetes gives to a pod are missing.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ConfigurationError(
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is not a pod; give --kubeconfig FILE"
        )
    directory = Path(environ.get("REMORA_SERVICE_ACCOUNT_DIR") or SERVICE_ACCOUNT_DIRECTORY)
    authority = directory / "ca.crt"
    try:
        context = ssl.create_default_context(cafile=str(authority))
    except OSError as error:
        raise ConfigurationError(f"{authority}: the API server's certificate authority cannot be read: {error}") from error
    name = f"[{host}]" if ":" in host else host
    token = TokenFile(directory / "token")
    return Connection(f"https://{name}:{port}", token.authorize, context, namespace=read_namespace(environ))


def read_namespace(environ: Mapping[str, str]) -> str:
    """The namespace of the pod that this runs in; "" if it is none."""
    if given := environ.get("POD_NAMESPACE"):
        return given
    directory = Path(environ.get("REMORA_SERVICE_ACCOUNT_DIR") or SERVICE_ACCOUNT_DIRECTORY)
    try:
        return (directory / "namespace").read_text().strip()
    except OSError:
        return ""


def kubeconfig_paths(given: str, environ: Mapping[str, str]) -> str:
    """The colon-separated files to read: as given, else $KUBECONFIG, else the usual one."""
    return given or environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


async def from_kubeconfig(paths: str, context: str = "") -> Connection:
    """The connection of a context, by default the current one, of one or more merged kubeconfig files.

    Raises:
        ConfigurationError: naming the file and the field that cannot be used.
    """
    if not _is_any_there(paths):
        raise ConfigurationError(f"kubeconfig {paths}: there is no such file; give --kubeconfig FILE or set KUBECONFIG")
    from remora.kube.plain_kubeconfig import context_names, find_plain

    if context and (known := context_names(paths)) and context not in known:
        raise ConfigurationError(f"kubeconfig {paths}: there is no context {context}; it has {', '.join(sorted(known))}")
    if plain := find_plain(paths, context):
        return plain
    # Half a second of imports that few need.
    from remora.kube.kubeconfig import load

    return await load(paths, context)


async def connect(kubeconfig: str, context: str, environ: Mapping[str, str] = os.environ) -> Connection:
    """As a pod if this is one and nothing else was asked for, else by kubeconfig.

    Raises:
        ConfigurationError: see `in_cluster` and `from_kubeconfig`.
    """
    if not kubeconfig and not context and is_in_cluster(environ):
        return in_cluster(environ)
    return await from_kubeconfig(kubeconfig_paths(kubeconfig, environ), context)


def _is_any_there(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(":") if path)
