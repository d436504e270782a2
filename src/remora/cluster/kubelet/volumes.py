"""What a pod's volumes contain. Pure, but for `write_volume`.

A process cannot have mounts of its own, so a volume is a folder, and the process is told where: `REMORA_VOLUMES` is a JSON
object from mount path to folder, `REMORA_VOLUME_<NAME>` the folder of the volume NAME (upper case, `_` for other characters).
"""

import base64
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from remora.cluster.kubelet.environment import ConfigError, Place, Sources, field_value, resource_value
from remora.cluster.objects import Object

_KINDS = ("configMap", "secret", "projected", "downwardAPI")


class Content(msgspec.Struct, frozen=True):
    """A volume: files by relative path, or (`folder`) a folder outside the pod, which is made if it is a claim's."""

    files: Mapping[str, bytes] = {}
    folder: str = ""
    is_claimed: bool = False


IssueToken = Callable[[Mapping[str, Any]], str]
"""A token for a `serviceAccountToken` source."""


def content(
    volume: Mapping[str, Any], pod: Mapping[str, Any], *, place: Place, sources: Sources, issue_token: IssueToken
) -> Content:
    """What is in a volume at its beginning.

    Raises:
        ConfigError: something it refers to does not exist, or the local cluster has no such kind of volume.
    """
    if "hostPath" in volume:
        return Content(folder=str(volume["hostPath"]["path"]))
    if "emptyDir" in volume:
        return Content()
    if "persistentVolumeClaim" in volume:
        return Content(folder=_claimed_folder(volume["persistentVolumeClaim"]["claimName"], sources), is_claimed=True)
    if "projected" in volume:
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or ():
            files |= _files(source, pod, place, sources, issue_token)
        return Content(files)
    if not any(kind in volume for kind in _KINDS):
        kinds = ", ".join(sorted(set(volume) - {"name"})) or "none"
        raise ConfigError(f'volume "{volume["name"]}" is of a kind that the local cluster does not have: {kinds}')
    return Content(_files(volume, pod, place, sources, issue_token))


def _claimed_folder(claim: str, sources: Sources) -> str:
    volume = sources.find_claimed_volume(claim)
    if volume is None:
        raise ConfigError(f'persistentvolumeclaim "{claim}" is not bound')
    spec = volume["spec"]
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
    if not path:
        raise ConfigError(f'persistentvolume "{volume["metadata"]["name"]}" is no folder of this machine')
    return str(path)


def _files(
    source: Mapping[str, Any], pod: Mapping[str, Any], place: Place, sources: Sources, issue_token: IssueToken
) -> dict[str, bytes]:
    if (wanted := source.get("configMap")) is not None:
        obj = sources.find_config_map(wanted["name"])
        return _selected(wanted, _config_map_data(obj), f'configmap "{wanted["name"]}"', missing=obj is None)
    if (wanted := source.get("secret")) is not None:
        name = wanted.get("secretName") or wanted.get("name")
        obj = sources.find_secret(name)
        data = {key: base64.b64decode(value) for key, value in ((obj or {}).get("data") or {}).items()}
        return _selected(wanted, data, f'secret "{name}"', missing=obj is None)
    if (wanted := source.get("downwardAPI")) is not None:
        return {item["path"]: _downward(item, pod, place).encode() for item in wanted.get("items") or ()}
    if (wanted := source.get("serviceAccountToken")) is not None:
        return {wanted["path"]: issue_token(wanted).encode()}
    return {}


def _config_map_data(obj: Object | None) -> dict[str, bytes]:
    if obj is None:
        return {}
    text = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return text | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _selected(wanted: Mapping[str, Any], data: Mapping[str, bytes], what: str, *, missing: bool) -> dict[str, bytes]:
    if missing and not wanted.get("optional"):
        raise ConfigError(f"{what} not found")
    items: Sequence[Mapping[str, Any]] | None = wanted.get("items")
    if items is None:
        return dict(data)
    absent = [item["key"] for item in items if item["key"] not in data]
    if absent and not wanted.get("optional"):
        raise ConfigError(f"references non-existent config key: {absent[0]}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _downward(item: Mapping[str, Any], pod: Mapping[str, Any], place: Place) -> str:
    if "fieldRef" in item:
        return field_value(pod, item["fieldRef"]["fieldPath"], place)
    reference = item["resourceFieldRef"]
    containers = {container["name"]: container for container in pod["spec"]["containers"]}
    return resource_value(containers.get(reference.get("containerName", ""), {}), reference)


def mounts(container: Mapping[str, Any], volumes: Mapping[str, str]) -> dict[str, str]:
    """Mount path to folder (or, with `subPath`, to what is in it) for a container."""
    result = {}
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in volumes:
            result[mount["mountPath"]] = str(Path(volumes[mount["name"]]) / (mount.get("subPath") or ""))
    return result


def write_volume(directory: Path, content: Content) -> str:
    """Makes the folder and its files; each is replaced in one step and only if it differs. Gives the folder's path.

    Raises:
        ConfigError: a file's path leads out of the volume.
    """
    if content.folder:
        if content.is_claimed:
            Path(content.folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        return content.folder
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in content.files.items():
        target = directory / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ConfigError(f"the path {name!r} leads out of the volume")
        if target.is_file() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.new")
        draft.touch(mode=0o600)
        draft.write_bytes(data)
        draft.replace(target)
    return str(directory)


def remove_directory(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
