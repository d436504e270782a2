"""A kopf operator for Widgets: handlers for all that happens, a timer, status and a finalizer."""

from typing import Any

import kopf


@kopf.on.create("example.com", "v1", "widgets")
def created(spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> dict[str, int]:
    patch.status["ready"] = True
    return {"size": spec["size"]}


@kopf.on.update("example.com", "v1", "widgets", field="spec.size")
def updated(old: int, new: int, patch: kopf.Patch, body: kopf.Body, **_: Any) -> None:
    patch.status["grown"] = new - old
    kopf.info(body, reason="Grown", message=f"from {old} to {new}")


@kopf.timer("example.com", "v1", "widgets", interval=0.3)
def ticked(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.on.delete("example.com", "v1", "widgets")
def deleted(name: str, logger: kopf.Logger, **_: Any) -> None:
    logger.info("%s goes", name)


@kopf.on.event("", "v1", "configmaps", labels={"watched": "yes"})
def noticed(event: kopf.RawEvent, name: str, logger: kopf.Logger, **_: Any) -> None:
    logger.info("configmap %s %s", name, event["type"])
