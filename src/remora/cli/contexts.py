"""What kubeconfig files say of contexts, read as YAML alone: for the usual namespace, and to complete names quickly."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from remora.kube.credentials import is_in_cluster, kubeconfig_paths, read_namespace


class Contexts(msgspec.Struct, frozen=True):
    """The contexts with the namespace of each, "" where none is given, and which one is current."""

    namespaces: Mapping[str, str]
    current: str = ""


def read_contexts(kubeconfig: str, environ: Mapping[str, str] = os.environ) -> Contexts:
    """The contexts of the files that kubectl would read; of what cannot be read, nothing."""
    namespaces: dict[str, str] = {}
    current = ""
    for path in kubeconfig_paths(kubeconfig, environ).split(":"):
        config = _read(Path(path).expanduser()) if path else {}
        current = current or str(config.get("current-context") or "")
        for one in config.get("contexts") or ():
            namespaces.setdefault(str(one.get("name")), str((one.get("context") or {}).get("namespace") or ""))
    return Contexts(namespaces, current)


def usual_namespace(kubeconfig: str, context: str, environ: Mapping[str, str] = os.environ) -> str:
    """The namespace that is meant where none is given, as for kubectl."""
    if not kubeconfig and not context and is_in_cluster(environ):
        return read_namespace(environ) or "default"
    found = read_contexts(kubeconfig, environ)
    return found.namespaces.get(context or found.current, "") or "default"


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}
