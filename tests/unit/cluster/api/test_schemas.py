from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.schemas import definitions, field_of, find_name, resolved, schema_of


def test_every_served_kind_has_a_type_but_those_that_kubernetes_gave_up_and_metrics() -> None:
    unknown = {row.api_version for row in RESOURCES.rows if find_name(row.api_version, row.kind) is None}
    assert unknown == {"extensions/v1beta1", "networking.k8s.io/v1beta1", "metrics.k8s.io/v1beta1"}


def test_lists_know_how_they_merge() -> None:
    spec = field_of(schema_of("v1", "Pod"), "spec")
    containers = field_of(spec, "containers")
    assert containers is not None
    assert containers.merge_key == "name"
    assert containers.strategies == {"merge"}
    assert (containers.list_type, containers.list_keys) == ("map", ("name",))
    volumes = field_of(spec, "volumes")
    assert volumes is not None
    assert volumes.strategies == {"merge", "retainKeys"}


def test_maps_know_their_values() -> None:
    data = field_of(schema_of("v1", "ConfigMap"), "data")
    value = field_of(data, "any")
    assert value is not None
    assert resolved(value).type_name == "string"
    assert field_of(schema_of("v1", "ConfigMap"), "nothing") is None


def test_components_refer_to_components() -> None:
    components = definitions()
    deployment = components["io.k8s.api.apps.v1.Deployment"]
    assert deployment["properties"]["spec"]["$ref"] == "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"
    assert deployment["properties"]["kind"]["type"] == "string"
