"""Every folder of tests/golden/translate is a case: `in.yaml` is translated and compared with `want.yaml`.

With REMORA_UPDATE_GOLDEN=1 in the environment `want.yaml` is written instead; the difference is reviewed as code.
"""

import base64
import datetime
import os
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from remora.translate import Translator
from tests.support.ocsp import Responder
from tests.support.translations import parse_objects, snapshot_of, translation_text

CASES = sorted((Path(__file__).parent / "translate").iterdir())


@pytest.fixture(scope="session")
def key_pair() -> dict[str, str]:
    """What the words CERTIFICATE and KEY stand for in the Secrets of cases, CHAIN and CHAIN_KEY for one with a responder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "golden")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _, chain = Responder().issue("golden")
    chain, mark, chain_key = chain.partition(b"-----BEGIN PRIVATE KEY-----")
    words = {"CERTIFICATE": certificate, "KEY": private, "CHAIN": chain, "CHAIN_KEY": mark + chain_key}
    return {word: base64.b64encode(text).decode() for word, text in words.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_is_translated_as_wanted(case: Path, key_pair: dict[str, str]) -> None:
    text = (case / "in.yaml").read_text()
    for word, value in key_pair.items():
        text = re.sub(rf" {word}\b", f" {value}", text)
    settings, objects = parse_objects(text)
    got = translation_text(Translator(settings).translate(snapshot_of(objects), None))
    if os.environ.get("REMORA_UPDATE_GOLDEN"):
        (case / "want.yaml").write_text(got)
    assert got == (case / "want.yaml").read_text()
