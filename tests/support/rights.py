"""What our manifest grants the controller, as a question that a small API server can ask."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.support.api import Access

MANIFEST = Path(__file__).parents[2] / "deploy" / "remora.yaml"


def granted(documents: Iterable[dict[str, Any]] | None = None) -> Callable[[Access], bool]:
    """Whether the ClusterRole, or the Role of its own namespace, lets the controller do something; `documents` are others."""
    written = yaml.safe_load_all(MANIFEST.read_text()) if documents is None else documents
    roles = [obj for obj in written if obj and obj["kind"] in ("ClusterRole", "Role")]
    rules = [(role["metadata"].get("namespace", ""), rule) for role in roles for rule in role["rules"]]
    return lambda access: any(namespace in ("", access.namespace) and _allows(rule, access) for namespace, rule in rules)


def _allows(rule: dict[str, Any], access: Access) -> bool:
    names = rule.get("resourceNames")
    return (
        access.verb in rule["verbs"]
        and access.group in rule["apiGroups"]
        and access.resource in rule["resources"]
        and (names is None or access.name in names)
    )
