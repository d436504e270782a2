"""What is in a pod's volumes, and how it changes under the eyes of who reads it."""

import base64
from pathlib import Path

import pytest

from remora.cluster.kubelet.environment import ConfigError, Place, Sources
from remora.cluster.kubelet.volumefiles import write_volume
from remora.cluster.kubelet.volumes import Content, File, Maker, content, mounts, sources_of
from remora.cluster.objects import Object

CONFIG = {
    "metadata": {"name": "settings", "namespace": "default"},
    "data": {"colour": "blue", "size": "9"},
    "binaryData": {"raw": base64.b64encode(b"\xff").decode()},
}
SECRET = {"metadata": {"name": "keys", "namespace": "default"}, "data": {"token": base64.b64encode(b"s3cret").decode()}}
SOURCES = Sources({"settings": CONFIG}.get, {"keys": SECRET}.get, {"data": {"spec": {"hostPath": {"path": "/srv/c"}}}}.get)
LABELS = {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}, "mode": 0o400}]}}


def _content(volume: Object) -> Content:
    place = Place(pod_ip="127.64.0.1", node_ip="", node_name="remora")
    metadata = {"name": "web-1", "namespace": "default", "labels": {"app": "web"}}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "250m"}}}]}}
    return content({"name": "data", **volume}, Maker(pod, place, SOURCES, lambda source: f"for {source.get('audience')}"))


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        ({"configMap": {"name": "settings"}}, {"colour": File(b"blue"), "size": File(b"9"), "raw": File(b"\xff")}),
        (
            {"configMap": {"name": "settings", "defaultMode": 0o600, "items": [{"key": "colour", "path": "a/b"}]}},
            {"a/b": File(b"blue", 0o600)},
        ),
        ({"secret": {"secretName": "keys", "defaultMode": 0o400}}, {"token": File(b"s3cret", 0o400)}),
        ({"secret": {"secretName": "no", "optional": True}}, {}),
        ({"configMap": {"name": "settings", "optional": True, "items": [{"key": "no", "path": "x"}]}}, {}),
        (LABELS, {"labels": File(b'app="web"', 0o400)}),
        (
            {
                "downwardAPI": {
                    "items": [
                        {
                            "path": "cpu",
                            "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"},
                        }
                    ]
                }
            },
            {"cpu": File(b"250")},
        ),
        (
            {
                "projected": {
                    "defaultMode": 0o440,
                    "sources": [
                        {"serviceAccountToken": {"path": "token", "audience": "vault"}},
                        {"secret": {"name": "keys", "items": [{"key": "token", "path": "key", "mode": 0o600}]}},
                        LABELS,
                    ],
                }
            },
            {"token": File(b"for vault", 0o440), "key": File(b"s3cret", 0o600), "labels": File(b'app="web"', 0o400)},
        ),
    ],
)
def test_volumes_contain_what_they_refer_to(volume: Object, files: dict[str, File]) -> None:
    assert _content(volume) == Content(files)


@pytest.mark.parametrize(
    ("volume", "wanted"),
    [
        ({"emptyDir": {}}, Content()),
        ({"hostPath": {"path": "/srv", "type": "Directory"}}, Content(folder="/srv", kind="Directory")),
        ({"persistentVolumeClaim": {"claimName": "data"}}, Content(folder="/srv/c", is_claimed=True)),
    ],
)
def test_other_volumes_are_folders(volume: Object, wanted: Content) -> None:
    assert _content(volume) == wanted


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        ({"configMap": {"name": "settings", "items": [{"key": "k", "path": "p"}]}}, "references non-existent config key: k"),
        ({"secret": {"secretName": "keys", "items": [{"key": "k", "path": "p"}]}}, "references non-existent secret key: k"),
        ({"ephemeral": {"volumeClaimTemplate": {}}}, 'persistentvolumeclaim "web-1-data" is not bound'),
        ({"nfs": {"server": "x"}}, "does not have volumes of this kind: nfs"),
        ({"projected": {"sources": [{"clusterTrustBundle": {}}]}}, "sources of this kind: clusterTrustBundle"),
    ],
)
def test_volume_that_cannot_be_made_says_why(volume: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _content(volume)


def test_all_files_of_a_volume_change_at_once(tmp_path: Path) -> None:
    folder = Path(write_volume(tmp_path / "v", Content({"a/b": File(b"1"), "c": File(b"1", 0o400), "gone": File(b"")})))
    data, reader = folder / "..data", (folder / "a/b").open("rb")
    before = data.resolve()
    assert ((folder / "a/b").read_bytes(), (folder / "c").stat().st_mode & 0o777) == (b"1", 0o400)
    assert data.is_symlink()
    assert (folder / "c").readlink() == Path("..data/c")
    write_volume(tmp_path / "v", Content({"a/b": File(b"2"), "c": File(b"2")}))
    assert [(folder / name).read_bytes() for name in ("a/b", "c")] == [b"2", b"2"]
    assert data.resolve() != before
    assert not before.exists()
    assert not (folder / "gone").is_symlink()
    with reader:
        assert reader.read() == b"1"


def test_volume_that_did_not_change_is_left_alone(tmp_path: Path) -> None:
    files = Content({"./a//b": File(b"1")})
    folder = Path(write_volume(tmp_path / "v", files))
    before = (folder / "..data").readlink()
    write_volume(tmp_path / "v", files)
    assert (folder / "..data").readlink() == before


def test_volume_of_plain_files_becomes_one_of_links(tmp_path: Path) -> None:
    (tmp_path / "v/a").mkdir(parents=True)
    (tmp_path / "v/a/b").write_text("old")
    (tmp_path / "v/c").write_text("old")
    folder = Path(write_volume(tmp_path / "v", Content({"a/b": File(b"1"), "c": File(b"1")})))
    assert ((folder / "a/b").read_bytes(), (folder / "c").read_bytes()) == (b"1", b"1")


def test_volume_stays_inside(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leads out"):
        write_volume(tmp_path / "v", Content({"../x": File(b"")}))
    with pytest.raises(ConfigError, match="leads out"):
        mounts({"volumeMounts": [{"name": "v", "mountPath": "/data", "subPath": "../x"}]}, {"v": "/pods/1/v"})


def test_host_path_is_what_it_says_or_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, kind in (("new", "DirectoryOrCreate"), ("new", "Directory"), ("file", "File"), ("made", "FileOrCreate")):
        assert write_volume(tmp_path / "v", Content(folder=str(tmp_path / name), kind=kind)) == str(tmp_path / name)
    assert (tmp_path / "new").is_dir()
    assert (tmp_path / "made").is_file()
    for name, kind in (("file", "Directory"), ("none", "File"), ("file", "Socket")):
        with pytest.raises(ConfigError, match=f"hostPath type check failed: {tmp_path / name} is not a"):
            write_volume(tmp_path / "v", Content(folder=str(tmp_path / name), kind=kind))


def test_mounts_lead_to_folders() -> None:
    listed = [
        {"name": "v", "mountPath": "/data", "subPath": "in"},
        {"name": "v", "mountPath": "/own", "subPathExpr": "of/$(POD_NAME)"},
        {"name": "no", "mountPath": "/x"},
    ]
    found = mounts({"volumeMounts": listed}, {"v": "/pods/1/v"}, {"POD_NAME": "web-1"})
    assert found == {"/data": "/pods/1/v/in", "/own": "/pods/1/v/of/web-1"}


def test_volumes_are_known_by_their_sources() -> None:
    projected = {"projected": {"sources": [{"secret": {"name": "keys"}}, {"configMap": {"name": "more"}}]}}
    listed = [{"configMap": {"name": "settings"}}, {"secret": {"secretName": "tls"}}, projected, {"emptyDir": {}}]
    assert sources_of({"spec": {"volumes": listed}}) == {
        ("configmaps", "settings"),
        ("configmaps", "more"),
        ("secrets", "tls"),
        ("secrets", "keys"),
    }
