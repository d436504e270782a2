"""A small client of the local cluster's API server, for the commands: blocking, JSON in and out, a kubeconfig's credentials."""

import base64
import http.client
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from remora.core.errors import ApiServerRefused, ApiServerUnreachable, ConfigurationError

Object = dict[str, Any]

_TIMEOUT = 10.0
"""Seconds for one answer."""


class Api:
    """The API server that a context of a kubeconfig names, by default the current one."""

    def __init__(self, kubeconfig: Path, *, context: str = "", timeout: float = _TIMEOUT) -> None:
        """Raises ConfigurationError if the file cannot be used."""
        self._timeout = timeout
        try:
            config = yaml.safe_load(kubeconfig.read_text())
            chosen = _named(config["contexts"], context or config["current-context"])["context"]
            cluster = _named(config["clusters"], chosen["cluster"])["cluster"]
            user = _named(config["users"], chosen["user"])["user"]
            self._address = urlsplit(cluster["server"])
            self._tls = _tls(cluster, user)
        except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{kubeconfig} cannot be used: {error}") from error

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._address.geturl())

    def read(self, path: str) -> Object:
        """GET."""
        return self.request("GET", path)

    def create(self, path: str, body: Object) -> Object:
        """POST to a collection."""
        return self.request("POST", path, body)

    def merge(self, path: str, patch: Object) -> Object:
        """PATCH with a JSON merge patch (RFC 7386)."""
        return self.request("PATCH", path, patch, content_type="application/merge-patch+json")

    def delete(self, path: str) -> Object:
        """DELETE."""
        return self.request("DELETE", path)

    def request(self, method: str, path: str, body: Object | None = None, *, content_type: str = "application/json") -> Object:
        """One request.

        Raises:
            ApiServerUnreachable: no answer.
            ApiServerRefused: an error status.
        """
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, context=self._tls, timeout=self._timeout
        )
        try:
            sent = None if body is None else json.dumps(body)
            headers = {"Accept": "application/json", "Content-Type": content_type}
            connection.request(method, path, body=sent, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ApiServerUnreachable(f"{self.server} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise _refusal(response.status, answer)
        content: Object = json.loads(answer) if answer.startswith(b"{") else {}
        return content

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            self.request("GET", "/readyz")
        except (ApiServerUnreachable, ApiServerRefused):
            return False
        return True


def _refusal(status: int, answer: bytes) -> ApiServerRefused:
    try:
        body = json.loads(answer)
        return ApiServerRefused(status=status, reason=body["reason"], message=body["message"])
    except (ValueError, KeyError, TypeError):
        return ApiServerRefused(status=status, reason="", message=answer.decode(errors="replace")[:200])


def _named(items: list[Object], name: str) -> Object:
    for item in items:
        if item["name"] == name:
            return item
    raise KeyError(name)


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    # The standard library reads a client certificate from files only.
    with tempfile.NamedTemporaryFile("wb") as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
