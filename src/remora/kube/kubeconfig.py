"""Kubeconfig files by way of `kubernetes_asyncio`, which knows exec plugins and the other ways to log in."""

import ssl
import time
from typing import Any

import yaml
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.kube_config import load_kube_config

from remora.core.errors import ConfigurationError
from remora.kube.credentials import Connection

REFRESH = 30.0
"""Seconds after which the library is asked whether a plugin's token has expired."""


class _Loaded:
    """What the library sets, by its names."""

    def __init__(self) -> None:
        self.host = ""
        self.ssl_ca_cert: str | None = None
        self.cert_file: str | None = None
        self.key_file: str | None = None
        self.verify_ssl = True
        self.tls_server_name: str | None = None
        self.proxy: str | None = None
        self.api_key: dict[str, str] = {}


class _Login:
    """Asks a plugin again when its token has expired."""

    def __init__(self, loader: Any, paths: str) -> None:
        self._loader = loader
        self._paths = paths
        self._due = time.monotonic() + REFRESH

    async def authorize(self) -> str:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + REFRESH
            try:
                await self._loader._load_authentication()
            except Exception as error:
                raise ConfigurationError(f"kubeconfig {self._paths}: users: {error}") from error
        return str(getattr(self._loader, "token", ""))


async def load(paths: str, context: str) -> Connection:
    """The connection of a context.

    Raises:
        ConfigurationError: naming the file and the field that cannot be used.
    """
    loaded = _Loaded()
    try:
        loader = await load_kube_config(
            config_file=paths, context=context or None, client_configuration=loaded, persist_config=False
        )
    except ConfigException as error:
        raise ConfigurationError(f"kubeconfig {paths}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"kubeconfig {paths}: not YAML: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError, AssertionError, KeyError) as error:
        raise ConfigurationError(f"kubeconfig {paths}: cannot be read: {error or type(error).__name__}") from error
    if not loaded.host:
        raise ConfigurationError(f"kubeconfig {paths}: the context's cluster has no field `server`")
    return Connection(
        loaded.host,
        _Login(loader, paths).authorize,
        _ssl_context(loaded, paths),
        server_name=loaded.tls_server_name or "",
        proxy=loaded.proxy or "",
    )


def _ssl_context(loaded: _Loaded, paths: str) -> ssl.SSLContext | None:
    if not loaded.host.startswith("https"):
        return None
    try:
        context = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"kubeconfig {paths}: certificate-authority: {error}") from error
    if not loaded.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if loaded.cert_file:
        try:
            context.load_cert_chain(loaded.cert_file, loaded.key_file)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"kubeconfig {paths}: client-certificate, client-key: {error}") from error
    return context
