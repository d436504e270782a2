"""The unmodified kubectl, some three hundred invocations of it."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from remora.testing.local import LocalCluster
from tests.cluster.clients.asked import only_if_asked
from tests.cluster.clients.manifests import FILES
from tests.cluster.clients.script import parse_script, run_script

pytestmark = pytest.mark.kubectl

SCRIPTS = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "scripts").glob("*.txt"))}
QUICK = ("create",)


@pytest.fixture(scope="module")
def cluster(serving_cluster: LocalCluster) -> LocalCluster:
    serving_cluster.add_image("true", "true")
    serving_cluster.add_image("sh", "sh")
    return serving_cluster


@pytest.fixture
def folder(tmp_path: Path, remora_namespace: str) -> Path:
    """What the scripts name, as files."""
    for name, text in {**FILES, **certificate()}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("MY_NS", remora_namespace))
    return tmp_path


@pytest.fixture
def environment(cluster: LocalCluster, tmp_path: Path, remora_namespace: str) -> Mapping[str, str]:
    """As somebody who works in a namespace of their own."""
    own = tmp_path / "kubeconfig"
    own.write_text(re.sub(r"namespace: default", f"namespace: {remora_namespace}", cluster.kubeconfig.read_text()))
    return {**cluster.kubectl.environment, "KUBECONFIG": str(own)}


@pytest.mark.parametrize(
    "subject", [pytest.param(name, marks=() if name in QUICK else only_if_asked()) for name in sorted(SCRIPTS)]
)
async def test_kubectl_says_what_it_should(
    subject: str, environment: Mapping[str, str], folder: Path, remora_namespace: str
) -> None:
    script = SCRIPTS[subject].replace("MY_NS", remora_namespace)
    faults = await run_script(script, environment=environment, folder=folder)
    assert not faults, "\n\n".join(faults)


def test_the_scripts_are_long_enough() -> None:
    assert sum(len(steps) for text in SCRIPTS.values() for steps in parse_script(text)) > 250


def certificate() -> dict[str, str]:
    """A self-signed one, and a request for one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    asked = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"tls.crt": made.decode(), "tls.key": encoded.decode(), "csr.yaml": CSR.replace("REQUEST", asked)}


CSR = """
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: MY_NS-csr}
spec: {request: REQUEST, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
"""
