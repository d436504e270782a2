"""Which form of an answer is chosen for which Accept header."""

import pytest

from remora.cluster.api.errors import ApiError
from remora.cluster.api.negotiation import Form, is_discovery_aggregated, negotiate

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", Form("application/json", "")),
        ("*/*", Form("application/json", "")),
        ("application/yaml", Form("application/yaml", "")),
        ("application/vnd.kubernetes.protobuf,application/json", Form("application/json", "")),
        (f"{TABLE},application/json", Form("application/json", "Table")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form("application/json", "")),
        (
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
            Form("application/json", "PartialObjectMetadata"),
        ),
        ("application/yaml;q=0.5, application/json", Form("application/json", "")),
    ],
)
def test_first_form_that_we_have_is_chosen(header: str, form: Form) -> None:
    assert negotiate(header) == form


def test_form_that_nobody_has_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        negotiate("application/x-nope")
    assert refusal.value.status == 406


@pytest.mark.parametrize(
    ("header", "is_aggregated"),
    [
        (f"{AGGREGATED},application/json", True),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", False),
        (f"application/json,{AGGREGATED}", False),
        ("", False),
    ],
)
def test_aggregated_discovery_is_given_to_who_prefers_it(header: str, is_aggregated: bool) -> None:
    assert is_discovery_aggregated(header) is is_aggregated
