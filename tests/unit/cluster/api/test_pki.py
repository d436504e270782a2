"""Certificates: made once, renewed when they no longer fit."""

import stat
from pathlib import Path

import yaml
from cryptography import x509

from remora.cluster.api.pki import read_pki, write_kubeconfig


def names_in(directory: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate((directory / "server.crt").read_bytes())
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


def test_what_was_made_is_loaded_the_next_time(tmp_path: Path) -> None:
    assert read_pki(tmp_path, ["127.64.128.1"]) == read_pki(tmp_path, ["127.64.128.1"])


def test_new_address_renews_only_the_server_certificate(tmp_path: Path) -> None:
    before = read_pki(tmp_path)
    assert read_pki(tmp_path, ["127.64.128.1"]) == before
    assert {"127.0.0.1", "localhost", "kubernetes.default.svc", "127.64.128.1"} <= names_in(tmp_path)


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    pki = read_pki(tmp_path / "pki")
    write_kubeconfig(tmp_path / "kubeconfig", server="https://127.0.0.1:6443", name="remora", pki=pki)
    for path in (tmp_path / "kubeconfig", *(tmp_path / "pki").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_kubeconfig_names_one_cluster_and_its_user(tmp_path: Path) -> None:
    pki = read_pki(tmp_path / "pki")
    write_kubeconfig(tmp_path / "kubeconfig", server="https://127.0.0.1:6443", name="remora", pki=pki)
    config = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    assert config["current-context"] == "remora"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert config["users"][0]["user"].keys() == {"client-certificate-data", "client-key-data"}


def test_keys_are_not_shown(tmp_path: Path) -> None:
    pki = read_pki(tmp_path)
    assert "PRIVATE" not in repr(pki)
