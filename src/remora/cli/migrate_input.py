"""What `remora migrate` reads: documents of files or of a cluster, and Remora's own flags and manifests."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml

from remora.cli.controller_flags import FLAGS
from remora.cli.flags import Flag, parse_boolean
from remora.core.errors import ApiServerRefused, UsageError
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.migrate.flags import KnownFlag
from remora.migrate.old import find_misshapen
from remora.report.manifests import Fault, Place, split_documents

_SUFFIXES = (".yaml", ".yml", ".json")
_OF_CLUSTER = {
    "Deployment": "/apis/apps/v1/deployments",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Ingress": "/apis/networking.k8s.io/v1/ingresses",
}


def known_flags() -> dict[str, KnownFlag]:
    """Remora's flags, as the plan looks at them."""
    return {flag.name: KnownFlag(flag.is_boolean, flag.effect, flag.help, _complainer(flag)) for flag in FLAGS}


class _Complainer:
    def __init__(self, flag: Flag) -> None:
        self._flag = flag

    def __call__(self, text: str) -> str:
        try:
            if self._flag.parse is None:
                parse_boolean(self._flag.name, text)
            else:
                self._flag.parse(text)
        except UsageError as error:
            return str(error)
        except ValueError as error:
            return f"found {text!r}, needed {error}"
        return ""


def _complainer(flag: Flag) -> _Complainer:
    return _Complainer(flag)


def own_manifests() -> list[dict[str, Any]]:
    """The documents of deploy/remora.yaml."""
    text = files("remora.cluster").joinpath("manifests/remora.yaml").read_text()
    return [one for one in yaml.safe_load_all(text) if one]


def find_files(paths: Iterable[str]) -> Iterator[Path]:
    """The manifests among files and below folders.

    Raises:
        UsageError: there is no such file or folder.
    """
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}")
        yield from (
            sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES and one.is_file()) if path.is_dir() else (path,)
        )


def read_documents(paths: Iterable[Path]) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Every document that is a mapping of a usable shape, and what is wrong with the others.

    What is no YAML, and Services and ConfigMaps that are none, are told of by whoever reads the Ingresses.
    """
    found: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for path in paths:
        for line, one in _documents_of(path):
            wrong = find_misshapen(one)
            if not wrong:
                found.append(one)
            elif one.get("kind") not in ("Service", "ConfigMap"):
                faults.append(Fault(Place(str(path), line), f"{one.get('kind', 'Helm values')}: {wrong}"))
    return found, faults


def _documents_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The documents of a file with their first line, one by one: a broken one costs only itself."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    for line, document in split_documents(text):
        try:
            value = yaml.safe_load(document)
        except (ValueError, RecursionError, yaml.YAMLError):
            continue
        if isinstance(value, dict):
            yield from ((line, one) for one in _opened(value))


def _opened(document: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """A list's items, or the document."""
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        return [one for one in items if isinstance(one, dict)]
    return [document]


async def fetch_documents(kubeconfig: str, context: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The objects that a controller can be found by, as they are in the cluster, and what may not be read."""
    connection = await connect(kubeconfig, context)
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    async with ApiClient.open(connection) as client:
        for kind, path in _OF_CLUSTER.items():
            try:
                items = msgspec.json.decode(await client.read(path))["items"]
            except ApiServerRefused as error:
                if error.status != 403:
                    raise
                notes.append(f"{kind}s may not be read: what they say is unknown here")
                continue
            found += [
                {"apiVersion": path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]} | one | {"kind": kind}
                for one in items
            ]
    return found, notes


def as_manifest(ingress: dict[str, Any]) -> str:
    """An object of a cluster as one would write it."""
    metadata = {
        key: value for key, value in ingress["metadata"].items() if key in ("name", "namespace", "labels", "annotations")
    }
    if "annotations" in metadata:
        kept = {key: text for key, text in metadata["annotations"].items() if not key.startswith("kubectl.kubernetes.io/")}
        metadata["annotations"] = kept
    document = {"apiVersion": ingress["apiVersion"], "kind": "Ingress", "metadata": metadata, "spec": ingress.get("spec") or {}}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
