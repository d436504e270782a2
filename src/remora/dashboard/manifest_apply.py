"""Tries and applies manifests by server-side apply, one object after the other, as the field manager `remora-dashboard`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused
from remora.dashboard.manifests import (
    Document,
    Result,
    Verdict,
    changed_fields,
    conflict_faults,
    is_defined_later,
)
from remora.kube.client import ApiClient
from remora.kube.resources import Resource

FIELD_MANAGER = "remora-dashboard"
_PATIENCE, _PAUSE = 20, 0.5
"""How often, and after how many seconds each, to ask for a kind that a definition has just brought."""


class _ApiResource(msgspec.Struct, frozen=True):
    name: str
    kind: str = ""
    namespaced: bool = False


class _ApiResources(msgspec.Struct, frozen=True):
    resources: tuple[_ApiResource, ...] = ()


class Applier:
    """Applies the documents of one manifest. `taken` are the titles of objects whose fields are taken over from others."""

    def __init__(self, client: ApiClient, documents: Sequence[Document], taken: frozenset[str]) -> None:
        self._client = client
        self._documents = documents
        self._taken = taken
        self._kinds: dict[str, tuple[_ApiResource, ...]] = {}

    async def attempt(self) -> tuple[Result, ...]:
        """What would become of each object; nothing is changed."""
        return tuple([await self._one(document, is_trial=True) for document in self._documents])

    async def apply(self) -> tuple[Result, ...]:
        """Applies each object; one that is refused does not keep the others back."""
        return tuple([await self._one(document, is_trial=False) for document in self._documents])

    async def _one(self, document: Document, *, is_trial: bool) -> Result:
        later = is_defined_later(document, self._documents)
        try:
            resource = await self._resource(document, patience=_PATIENCE if later and not is_trial else 1)
            if resource is not None:
                document = _placed(document, resource)
                return await self._apply(document, resource, is_trial=is_trial)
            why = f"the cluster knows no kind {document.kind} in {document.api_version}"
            refusal = Result(document, Verdict.REFUSED, why)
        except ApiServerError as error:
            refusal = _refusal(document, error)
        if later and is_trial:
            return Result(document, Verdict.LATER, f"it needs {later}, which this manifest brings")
        return refusal

    async def _apply(self, document: Document, resource: Resource, *, is_trial: bool) -> Result:
        path = resource.path(document.namespace, document.name)
        before = await self._find(path)
        force = "true" if title_of(document) in self._taken else "false"
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": force}
        answer = await self._client.apply(path, document.body, query | ({"dryRun": "All"} if is_trial else {}))
        if before is None:
            return Result(document, Verdict.CREATED)
        changed = changed_fields(before, msgspec.json.decode(answer.body))
        return Result(document, Verdict.CONFIGURED if changed else Verdict.UNCHANGED, changed=changed)

    async def _find(self, path: str) -> Any:
        try:
            return msgspec.json.decode(await self._client.read(path))
        except ApiServerRefused as error:
            if error.status == 404:
                return None
            raise

    async def _resource(self, document: Document, *, patience: int) -> Resource | None:
        """Where the API has objects of the document's kind."""
        version = document.api_version
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for attempt in range(patience):
            if attempt:
                await asyncio.sleep(_PAUSE)
            if version not in self._kinds or attempt:
                self._kinds[version] = await self._fetch_kinds(prefix)
            for found in self._kinds[version]:
                if found.kind == document.kind and "/" not in found.name:
                    return Resource(prefix, found.name, namespaced=found.namespaced)
        return None

    async def _fetch_kinds(self, prefix: str) -> tuple[_ApiResource, ...]:
        try:
            return msgspec.json.decode(await self._client.read(prefix), type=_ApiResources).resources
        except ApiServerRefused as error:
            if error.status == 404:
                return ()
            raise


def title_of(document: Document) -> str:
    """What tells an object from the others of a manifest, also if the text is edited between two attempts."""
    return f"{document.api_version} {document.title}"


def _placed(document: Document, resource: Resource) -> Document:
    """With the namespace that the object will be in."""
    namespace = document.namespace if resource.namespaced else ""
    metadata = {key: value for key, value in document.body["metadata"].items() if key != "namespace"}
    if namespace:
        metadata["namespace"] = namespace
    return msgspec.structs.replace(document, namespace=namespace, body={**document.body, "metadata": metadata})


def _refusal(document: Document, error: ApiServerError) -> Result:
    if not isinstance(error, ApiServerRefused):
        return Result(document, Verdict.REFUSED, str(error))
    faults = conflict_faults(error.causes)
    if error.status == 409 and any(fault.owner for fault in faults):
        return Result(document, Verdict.CONFLICT, error.message, faults)
    return Result(document, Verdict.REFUSED, error.message, tuple(fault for fault in faults if fault.field))
