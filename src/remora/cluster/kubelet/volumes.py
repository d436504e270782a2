"""What a pod's volumes contain. Pure; `volumefiles` writes it.

A process cannot have mounts of its own, so a volume is a folder, and the process is told where: `REMORA_VOLUMES` is a JSON
object from mount path to folder, `REMORA_VOLUME_<NAME>` the folder of the volume NAME (upper case, `_` for other characters).
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from remora.cluster.kubelet.environment import ConfigError, Place, Sources, field_value, resource_value
from remora.cluster.kubelet.expansion import expand
from remora.cluster.kubelet.fit import claims_of
from remora.cluster.objects import Object

_MODE = 0o644
_KINDS = ("configMap", "secret", "downwardAPI")


class File(msgspec.Struct, frozen=True):
    data: bytes
    mode: int = _MODE


class Content(msgspec.Struct, frozen=True):
    """A volume: `files` by relative path, replaced all at once; or None for a folder that pods write to.

    `folder` is one outside the pod; `kind` is what a `hostPath` has to be there.
    """

    files: Mapping[str, File] | None = None
    folder: str = ""
    kind: str = ""
    is_claimed: bool = False


IssueToken = Callable[[Mapping[str, Any]], str]
"""A token for a `serviceAccountToken` source."""


class Maker(msgspec.Struct, frozen=True):
    """What all volumes of a pod are made from."""

    pod: Mapping[str, Any]
    place: Place
    sources: Sources
    issue_token: IssueToken


def content(volume: Mapping[str, Any], maker: Maker) -> Content:
    """What is in a volume now.

    Raises:
        ConfigError: something it refers to does not exist, or the local cluster has no such kind of volume.
    """
    if (wanted := volume.get("hostPath")) is not None:
        return Content(folder=str(wanted["path"]), kind=wanted.get("type") or "")
    if "emptyDir" in volume:
        return Content()
    if "persistentVolumeClaim" in volume or "ephemeral" in volume:
        (claim,) = claims_of({**maker.pod, "spec": {"volumes": [volume]}})
        return Content(folder=_claimed_folder(claim, maker.sources), is_claimed=True)
    if (wanted := volume.get("projected")) is not None:
        files: dict[str, File] = {}
        for source in wanted.get("sources") or ():
            files |= _files(source, maker, mode=wanted.get("defaultMode"))
        return Content(files)
    if not any(kind in volume for kind in _KINDS):
        kinds = ", ".join(sorted(set(volume) - {"name"})) or "none"
        raise ConfigError(f"the local cluster does not have volumes of this kind: {kinds}")
    return Content(_files(volume, maker, mode=None))


def _claimed_folder(claim: str, sources: Sources) -> str:
    volume = sources.find_claimed_volume(claim)
    if volume is None:
        raise ConfigError(f'persistentvolumeclaim "{claim}" is not bound')
    spec = volume["spec"]
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
    if not path:
        raise ConfigError(f'persistentvolume "{volume["metadata"]["name"]}" is no folder of this machine')
    return str(path)


def _files(source: Mapping[str, Any], maker: Maker, *, mode: int | None) -> dict[str, File]:
    """The files of one source; `mode` is that of the projected volume that it is part of."""
    if (wanted := source.get("configMap")) is not None:
        obj = maker.sources.find_config_map(wanted["name"])
        return _selected(wanted, _config_map_data(obj), "configmap", wanted["name"], is_there=obj is not None, mode=mode)
    if (wanted := source.get("secret")) is not None:
        name = wanted.get("secretName") or wanted.get("name")
        obj = maker.sources.find_secret(name)
        data = {key: base64.b64decode(value) for key, value in ((obj or {}).get("data") or {}).items()}
        return _selected(wanted, data, "secret", name, is_there=obj is not None, mode=mode)
    if (wanted := source.get("downwardAPI")) is not None:
        mode = _first(wanted.get("defaultMode"), mode)
        return {
            item["path"]: File(_downward(item, maker).encode(), _first(item.get("mode"), mode))
            for item in wanted.get("items") or ()
        }
    if (wanted := source.get("serviceAccountToken")) is not None:
        return {wanted["path"]: File(maker.issue_token(wanted).encode(), _first(mode))}
    raise ConfigError(f"the local cluster does not have sources of this kind: {', '.join(sorted(source)) or 'none'}")


def _first(*modes: int | None) -> int:
    return next((mode for mode in modes if mode is not None), _MODE)


def _config_map_data(obj: Object | None) -> dict[str, bytes]:
    if obj is None:
        return {}
    text = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return text | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _selected(
    wanted: Mapping[str, Any], data: Mapping[str, bytes], kind: str, name: str, *, is_there: bool, mode: int | None
) -> dict[str, File]:
    if not is_there and not wanted.get("optional"):
        raise ConfigError(f'{kind} "{name}" not found')
    mode = _first(wanted.get("defaultMode"), mode)
    items: Sequence[Mapping[str, Any]] | None = wanted.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    absent = [item["key"] for item in items if item["key"] not in data]
    if absent and not wanted.get("optional"):
        raise ConfigError(f"references non-existent {'config' if kind == 'configmap' else kind} key: {absent[0]}")
    present = [item for item in items if item["key"] in data]
    return {item["path"]: File(data[item["key"]], _first(item.get("mode"), mode)) for item in present}


def _downward(item: Mapping[str, Any], maker: Maker) -> str:
    if "fieldRef" in item:
        return field_value(maker.pod, item["fieldRef"]["fieldPath"], maker.place)
    return resource_value(maker.pod, item["resourceFieldRef"], maker.place)


def mounts(container: Mapping[str, Any], volumes: Mapping[str, str], values: Mapping[str, str] | None = None) -> dict[str, str]:
    """Mount path to folder (or, with `subPath`, to what is in it) for a container; `values` are what `subPathExpr` refers to.

    Raises:
        ConfigError: a path leads out of its volume.
    """
    result = {}
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in volumes:
            inside = expand(mount["subPathExpr"], values or {}) if mount.get("subPathExpr") else mount.get("subPath") or ""
            if is_outside(inside):
                raise ConfigError(f'subPath "{inside}" of volume "{mount["name"]}" leads out of the volume')
            result[mount["mountPath"]] = str(Path(volumes[mount["name"]]) / inside)
    return result


def has_subpath_expressions(container: Mapping[str, Any]) -> bool:
    return any(mount.get("subPathExpr") for mount in container.get("volumeMounts") or ())


def is_outside(path: str) -> bool:
    return ".." in Path(path).parts or Path(path).is_absolute()


def sources_of(pod: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """The ConfigMaps and Secrets that the pod's volumes are made of, as resource and name."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if config_map := source.get("configMap"):
                found.add(("configmaps", config_map["name"]))
            if secret := source.get("secret"):
                found.add(("secrets", secret.get("secretName") or secret.get("name")))
    return frozenset(found)
