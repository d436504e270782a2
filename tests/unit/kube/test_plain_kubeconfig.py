import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from remora.kube.kubeconfig import load
from remora.kube.plain_kubeconfig import find_plain
from tests.support.certificates import self_signed

PEM = self_signed("api.test")
DATA = base64.b64encode(PEM).decode()

USUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a token": ({"server": "https://api.test:6443", "certificate-authority-data": DATA}, {"token": "t"}),
    "no TLS": ({"server": "http://127.0.0.1:8001/"}, {}),
    "a certificate as data": (
        {"server": "https://api.test/", "certificate-authority-data": DATA, "tls-server-name": "other.test"},
        {"client-certificate-data": DATA, "client-key-data": DATA},
    ),
    "files beside the kubeconfig": (
        {"server": "https://api.test", "certificate-authority": "both.pem", "extensions": [{"name": "x"}]},
        {"client-certificate": "both.pem", "client-key": "both.pem"},
    ),
    "no look at the certificate": ({"server": "https://api.test", "insecure-skip-tls-verify": True}, {"token": "t"}),
}

UNUSUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a plugin": ({"server": "https://api.test"}, {"exec": {"command": "login"}}),
    "a file with the token": ({"server": "https://api.test"}, {"tokenFile": "token"}),
    "a password": ({"server": "https://api.test"}, {"username": "u", "password": "p"}),
    "a proxy": ({"server": "https://api.test", "proxy-url": "http://proxy.test"}, {"token": "t"}),
    "no server": ({}, {"token": "t"}),
    "another protocol": ({"server": "api.test"}, {"token": "t"}),
    "an authority that is none": ({"server": "https://api.test", "certificate-authority-data": "AAAA"}, {"token": "t"}),
    "a key alone": ({"server": "https://api.test"}, {"client-key-data": DATA}),
    "a number for a token": ({"server": "https://api.test"}, {"token": 7}),
}


def _written(directory: Path, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    (directory / "both.pem").write_bytes(PEM)
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": cluster}, {"name": "d", "cluster": {"server": 7}}],
        "users": [{"name": "u", "user": user}, {"name": "v", "user": {"exec": {}}}],
    }
    path = directory / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def _facts(context: ssl.SSLContext | None) -> object:
    return context and (context.verify_mode, context.check_hostname, context.get_ca_certs())


@pytest.mark.parametrize("what", USUAL)
async def test_the_usual_is_read_as_the_library_reads_it(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path, *USUAL[what])
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    plain = find_plain(f"{path}:{tmp_path}/none", "")
    assert plain
    assert not list(place.iterdir()), "a private key was left"
    theirs = await load(path, "")
    assert (plain.server, await plain.authorize(), plain.server_name, plain.proxy) == (
        theirs.server,
        await theirs.authorize(),
        theirs.server_name,
        theirs.proxy,
    )
    assert _facts(plain.ssl_context) == _facts(theirs.ssl_context)


@pytest.mark.parametrize("what", UNUSUAL)
def test_the_unusual_is_left_to_the_library(what: str, tmp_path: Path) -> None:
    assert find_plain(_written(tmp_path, *UNUSUAL[what]), "") is None


def test_several_files_another_context_and_what_is_no_kubeconfig_are_left_to_the_library(tmp_path: Path) -> None:
    path = _written(tmp_path, *USUAL["a token"])
    assert find_plain(path, "one")
    assert find_plain(path, "two") is None
    assert find_plain(f"{path}:{tmp_path}/both.pem", "") is None
    for text in ("{", "[]", "contexts: 7", ""):
        Path(path).write_text(text)
        assert find_plain(path, "") is None
