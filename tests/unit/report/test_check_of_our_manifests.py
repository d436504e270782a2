"""Every annotation of the manifests that come with Remora has a verdict that says what becomes of it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from remora.core.settings import RoutingSettings
from remora.report.check import check_manifests
from remora.report.findings import Finding, Report, Verdict
from remora.report.manifests import read_manifests
from tests.support.translations import SESSION_KEY

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.y*ml"))
CASES = sorted((ROOT / "tests/golden/translate").glob("*/in.yaml"))
VERSIONS = {"Ingress": "networking.k8s.io/v1", "IngressClass": "networking.k8s.io/v1", "EndpointSlice": "discovery.k8s.io/v1"}


def checked_case(path: Path) -> Report:
    """The report on a case, whose objects do not say their API version, without the Secrets that the tests fill in."""
    all_documents = [one for one in yaml.safe_load_all(path.read_text()) if one]
    found: dict[str, object] = next((one for one in all_documents if one["kind"] == "Settings"), {})
    fields = {key: value for key, value in found.items() if key != "kind"}
    settings = msgspec.convert({"session_key": SESSION_KEY, **fields}, RoutingSettings)
    documents = [one for one in all_documents if one["kind"] not in ("Settings", "Secret")]
    stated = [{"apiVersion": VERSIONS.get(one["kind"], "v1"), **one} for one in documents]
    return check_manifests(read_manifests(yaml.safe_dump_all(stated), "in.yaml"), settings)


def unexplained(report: Report) -> Iterator[Finding]:
    """What is neither honoured nor said to differ in words."""
    for one in report.findings:
        is_said = one.verdict is Verdict.HONOURED or one.reason
        if not is_said or (one.closes and one.verdict is Verdict.HONOURED):
            yield one


def test_no_annotation_of_the_examples_is_refused() -> None:
    read = [found for path in EXAMPLES for found in read_manifests(path.read_text(), str(path))]
    report = check_manifests(read, RoutingSettings(session_key=b""))
    assert report.ingresses > 0
    assert not report.faults
    assert {one.verdict for one in report.findings} <= {Verdict.HONOURED, Verdict.DIFFERENT, Verdict.WITHOUT_EFFECT}
    assert list(unexplained(report)) == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_every_annotation_of_a_case_is_honoured_or_its_difference_is_named(path: Path) -> None:
    report = checked_case(path)
    assert not report.faults
    assert list(unexplained(report)) == []
    documents = [one for one in yaml.safe_load_all(path.read_text()) if one and one["kind"] == "Ingress"]
    prefixes = ("nginx.ingress.kubernetes.io/", "ingress.kubernetes.io/", "remora.io/")
    written = {
        (one["metadata"]["name"], key)
        for one in documents
        for key in (one["metadata"].get("annotations") or {})
        if key.startswith(prefixes)
    }
    assert written <= {(one.object.name.name, one.field) for one in report.findings}
