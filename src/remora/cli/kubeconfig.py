"""Adding a local cluster to the person's own kubeconfig."""

import os
from pathlib import Path
from typing import Any

import yaml

from remora.core.errors import ConfigurationError

_LISTS = ("clusters", "contexts", "users")


def merge_kubeconfig(source: Path, profile: str) -> tuple[Path, str]:
    """Adds the source's current context to the file that kubectl reads first; the file and the context's name.

    Raises:
        ConfigurationError: one of the files is not a kubeconfig.
    """
    target = _target()
    context = "remora" if profile == "default" else f"remora-{profile}"
    merged = merge(_read(target), _read(source), name=context)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.remora")
    draft.touch(mode=0o600)
    draft.write_text(yaml.safe_dump(merged, sort_keys=False))
    draft.replace(target)
    return target, context


def merge(into: dict[str, Any], source: dict[str, Any], *, name: str) -> dict[str, Any]:
    """`into` with the source's first cluster, user and context under `name`, in place of those so named; `name` is current."""
    cluster = {"name": name, "cluster": source["clusters"][0]["cluster"]}
    user = {"name": name, "user": source["users"][0]["user"]}
    context = {"name": name, "context": {"cluster": name, "user": name}}
    added = dict(zip(_LISTS, (cluster, context, user), strict=True))
    lists = {key: [item for item in into.get(key) or () if item["name"] != name] + [added[key]] for key in _LISTS}
    return {"apiVersion": "v1", "kind": "Config", **into, **lists, "current-context": name}


def _target() -> Path:
    named = [part for part in os.environ.get("KUBECONFIG", "").split(":") if part]
    return Path(named[0]) if named else Path.home() / ".kube" / "config"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} is not a kubeconfig")
    return content
