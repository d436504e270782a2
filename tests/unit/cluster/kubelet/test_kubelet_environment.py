"""Commands and environments of containers."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.kubelet.environment import ConfigError, Place, Sources, command, environment, resource_value
from remora.cluster.kubelet.expansion import expand, expand_in_order
from remora.cluster.kubelet.images import Image, ImageCatalog, find_image
from remora.cluster.kubelet.kubelet import inherited_environment
from remora.cluster.objects import Object
from remora.core.errors import ConfigurationError

PLACE = Place(pod_ip="127.64.0.1", node_ip="127.64.255.254", node_name="remora")
IMAGE = Image(name="web", command=("serve", "--host", "$(POD_IP)"), env={"MODE": "image", "URL": "http://$(HOST):$(PORT)"})
CONFIG = {
    "metadata": {"name": "settings", "namespace": "default"},
    "data": {"colour": "blue", "price": "$(HOST) $$", "a b": "no name"},
}
SECRET = {"metadata": {"name": "keys", "namespace": "default"}, "data": {"token": base64.b64encode(b"s3cret").decode()}}
SOURCES = Sources({"settings": CONFIG}.get, {"keys": SECRET}.get, api_host="127.0.0.1", api_port=6443)


def _pod(*containers: Object, **spec: Any) -> Object:
    metadata = {"name": "web-1", "namespace": "default", "uid": "u1", "labels": {"app": "web"}, "annotations": {"note": 'a"b'}}
    return {"metadata": metadata, "spec": {"containers": list(containers), **spec}}


def _environment(sources: Sources = SOURCES, **container: Any) -> dict[str, str]:
    container = {"name": "main", **container}
    return environment(
        _pod(container), container, IMAGE, place=PLACE, sources=sources, inherited={"PATH": "/bin", "SECRET": "x"}
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("a$(A)b$(A)", "a1b1"),
        ("$(A", "$(A"),
        ("$A ${A}", "$A ${A}"),
        ("$$", "$"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, wanted: str) -> None:
    assert expand(text, {"A": "1"}) == wanted


@given(st.text(alphabet="ab()x", max_size=20))
def test_text_without_dollars_stays(text: str) -> None:
    assert expand(text, {"a": "1"}) == text


def test_a_value_may_refer_to_earlier_ones_only() -> None:
    assert expand_in_order([("B", "$(C)$(A)"), ("C", "$(B)")], {"A": "1"}) == {"B": "$(C)1", "C": "$(C)1"}


@pytest.mark.parametrize(
    ("container", "wanted"),
    [
        ({}, ["serve", "--host", "127.64.0.1"]),
        ({"args": ["-v"]}, ["serve", "--host", "127.64.0.1", "-v"]),
        ({"command": ["other"]}, ["other"]),
        ({"command": ["other"], "args": ["$(POD_IP)"]}, ["other", "127.64.0.1"]),
    ],
)
def test_command_replaces_the_image_and_args_are_appended(container: Object, wanted: list[str]) -> None:
    assert command(container, IMAGE, {"POD_IP": "127.64.0.1"}) == wanted


def test_a_command_may_call_the_images_own_program_by_its_path() -> None:
    image = Image(name="echo", command=("python", "app.py", "-listen=:5678"), program="/http-echo")
    words = command({"command": ["/http-echo", "-text=a"], "args": ["-listen=:80"]}, image, {})
    assert words == ["python", "app.py", "-listen=:5678", "-text=a", "-listen=:80"]
    assert command({"command": ["/other", "-text=a"]}, image, {}) == ["/other", "-text=a"]


def test_process_is_told_where_it_is() -> None:
    found = _environment(ports=[{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 9000}])
    assert found["PATH"] == "/bin"
    assert "SECRET" not in found
    wanted = {"POD_IP": "127.64.0.1", "HOST": "127.64.0.1", "PORT": "9000", "POD_NAME": "web-1", "REMORA_POD_UID": "u1"}
    assert wanted.items() <= found.items()
    assert found["URL"] == "http://127.64.0.1:9000"
    assert (found["KUBERNETES_SERVICE_HOST"], found["KUBERNETES_SERVICE_PORT"]) == ("127.0.0.1", "6443")
    assert _environment()["PORT"] == "8080"


def test_the_pod_has_the_last_word() -> None:
    found = _environment(env=[{"name": "PORT", "value": "1"}, {"name": "MODE", "value": "pod at $(PORT)"}])
    assert (found["PORT"], found["MODE"]) == ("1", "pod at 1")


def test_values_from_elsewhere_are_taken_as_they_are() -> None:
    found = _environment(
        env=[
            {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
            {"name": "PRICE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "price"}}},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
        ],
        resources={"limits": {"cpu": "2"}},
    )
    wanted = {"COLOUR": "blue", "PRICE": "$(HOST) $$", "TOKEN": "s3cret", "APP": "web", "NODE": "127.64.255.254", "CPU": "2"}
    assert wanted.items() <= found.items()
    assert "NONE" not in found


def test_whole_config_maps_come_with_a_prefix_and_any_printable_name() -> None:
    found = _environment(envFrom=[{"prefix": "C_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}])
    assert (found["C_colour"], found["token"]) == ("blue", "s3cret")
    assert found["C_a b"] == "no name"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "keys", "key": "k"}}, "couldn't find key k in Secret default/keys"),
        ({"fieldRef": {"fieldPath": "status.phase"}}, "unsupported fieldPath: status.phase"),
    ],
)
def test_what_is_missing_is_named(source: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _environment(env=[{"name": "X", "valueFrom": source}])


def test_services_of_the_namespace_are_told_unless_unwanted() -> None:
    service = {"metadata": {"name": "my-db"}, "spec": {"clusterIP": "127.64.128.9", "ports": [{"port": 5432, "name": "sql"}]}}
    headless = {"metadata": {"name": "peers"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    sources = Sources(SOURCES.find_config_map, SOURCES.find_secret, services=[service, headless])
    found = _environment(sources)
    assert found["MY_DB_SERVICE_HOST"] == "127.64.128.9"
    assert found["MY_DB_SERVICE_PORT_SQL"] == "5432"
    assert found["MY_DB_PORT_5432_TCP"] == "tcp://127.64.128.9:5432"
    assert "PEERS_SERVICE_HOST" not in found
    container = {"name": "main"}
    silent = environment(
        _pod(container, enableServiceLinks=False), container, IMAGE, place=PLACE, sources=sources, inherited={}
    )
    assert "MY_DB_SERVICE_HOST" not in silent


@pytest.mark.parametrize("asked", ["web:1", "docker.io/web:1", "docker.io/library/web:1"])
def test_image_is_found_by_its_names(asked: str) -> None:
    image = Image(name="web:1", command=("web",))
    assert find_image({"web:1": image}, asked) == image


def test_latest_is_understood_and_other_tags_are_not() -> None:
    images = {"web": Image(name="web", command=("web",))}
    assert find_image(images, "web:latest") is not None
    assert find_image(images, "docker.io/library/web") is not None
    assert find_image(images, "web:2") is None
    assert find_image(images, "example.com/web") is None


def test_catalogue_is_kept_on_disk_and_read_again_when_another_writes(tmp_path: Path) -> None:
    one, other = ImageCatalog(tmp_path / "images.json"), ImageCatalog(tmp_path / "images.json")
    assert one.find("web") is None
    image = Image(name="web", command=("web",), workdir="/srv", env={"A": "1"})
    other.add(image)
    assert one.find("web") == image
    assert one.remove("web")
    assert not one.remove("web")
    assert other.read() == {}


def test_a_damaged_catalogue_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text("[{")
    with pytest.raises(
        ConfigurationError, match=r"images\.json cannot be read: .*\. Correct it, or remove it and add or build"
    ):
        ImageCatalog(tmp_path / "images.json").read()


def test_programs_beside_our_python_are_found_last() -> None:
    path = inherited_environment({"PATH": "/first:/second"})["PATH"].split(":")
    assert path[:2] == ["/first", "/second"]
    assert len(path) == 3


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "requests.cpu"}, "0"),
        # Without a limit it is the node's.
        ({"resource": "limits.memory"}, "4294967296"),
        ({"resource": "limits.cpu", "containerName": "init"}, "2"),
    ],
)
def test_resources_are_told_as_the_downward_api_does(reference: Object, wanted: str) -> None:
    main = {"name": "main", "resources": {"limits": {"cpu": "500m"}, "requests": {"memory": "64Mi"}}}
    pod = _pod(main, initContainers=[{"name": "init"}])
    place = Place(pod_ip="", node_ip="", node_name="", allocatable={"cpu": "2", "memory": "4Gi"})
    assert resource_value(pod, reference, place, container="main") == wanted


def test_resources_of_no_container_cannot_be_told() -> None:
    with pytest.raises(ConfigError, match="container no not found"):
        resource_value(_pod({"name": "main"}), {"resource": "limits.cpu", "containerName": "no"}, PLACE, container="main")
