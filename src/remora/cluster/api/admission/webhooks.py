"""Asking the webhooks that a change is for: mutating ones in turn, validating ones together."""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from remora.cluster.api.admission.client import WebhookClient
from remora.cluster.api.admission.hooks import EXEMPT, Change, Hook, find_match, may_concern, parse_hooks
from remora.cluster.api.admission.review import (
    API_VERSION,
    Answer,
    CallError,
    effects_refused,
    failure,
    internal,
    parse_answer,
    patched,
    refusal,
    review_request,
    shown,
)
from remora.cluster.api.caller import SYSTEM, current_caller, is_reviewed
from remora.cluster.api.conversion import to_stored
from remora.cluster.api.decoding import decode
from remora.cluster.api.errors import ApiError
from remora.cluster.api.kinds import decode_as
from remora.cluster.api.registry import Registry
from remora.cluster.api.resources import Resource
from remora.cluster.api.reviews import user_info
from remora.cluster.cel import CelError
from remora.cluster.limits import TooLongError, cpu_limit

Object = dict[str, Any]

_MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
_VALIDATING = "validatingwebhookconfigurations.admissionregistration.k8s.io"

_LONGEST_CONDITION = 0.5
"""Seconds of processor time."""

_log = logging.getLogger(__name__)


class Webhooks:
    """The configurations in the registry, read anew when one changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._client = WebhookClient(lambda namespace, name: registry.find("services", namespace, name))
        self._made_of = (-1, -1)
        self._mutating: tuple[Hook, ...] = ()
        self._validating: tuple[Hook, ...] = ()
        self._concerned: dict[str, bool] = {}

    async def close(self) -> None:
        await self._client.close()

    def concern(self, row: Resource) -> bool:
        """Whether a change of such an object may be for a webhook; False costs next to nothing."""
        made_of = (self._registry.touched(_MUTATING), self._registry.touched(_VALIDATING))
        if made_of != self._made_of:
            self._made_of = made_of
            self._mutating = parse_hooks(self._registry.list(_MUTATING)[0])
            self._validating = parse_hooks(self._registry.list(_VALIDATING)[0])
            self._concerned = {}
        if not (self._mutating or self._validating) or row.storage in EXEMPT or not is_reviewed():
            return False
        known = self._concerned.get(row.storage)
        if known is None:
            rows = self._equivalents(row)
            hooks = (*self._mutating, *self._validating)
            known = self._concerned[row.storage] = any(may_concern(hook, found) for hook in hooks for found in rows)
        return known

    def _equivalents(self, row: Resource) -> Sequence[Resource]:
        return [found for found in self._registry.resources.rows if found.storage == row.storage]

    async def mutate(self, change: Change) -> Object | None:
        """The object of the change as the mutating webhooks want it.

        Raises:
            ApiError: one refuses, or cannot be asked and must be.
        """
        first: dict[str, Object | None] = {}
        for hook in self._mutating:
            new = await self._mutated(hook, change)
            if new is not None:
                change = msgspec.structs.replace(change, object=new)
            if hook.reinvokes:
                first[hook.key] = change.object
        for hook in self._mutating:
            # Once more for those that may want to see what later ones changed.
            if hook.key in first and first[hook.key] != change.object:
                new = await self._mutated(hook, change)
                if new is not None:
                    change = msgspec.structs.replace(change, object=new)
        return change.object

    async def _mutated(self, hook: Hook, change: Change) -> Object | None:
        """The changed object, None if the webhook changes nothing."""
        row = self._match(hook, change)
        if row is None:
            return None
        answer = await self._ask(hook, change, row)
        if answer is None or not answer.patch or change.object is None:
            return None
        seen = shown(change, row, change.object)
        new = patched(seen or {}, answer)
        try:
            if change.kind is not None:
                return decode(new, api_version="/".join(change.kind[:2]), kind=change.kind[2]).object
            return to_stored(row, decode_as(row, new).object)
        except ApiError as error:
            raise internal(error.message) from None

    async def validate(self, change: Change) -> None:
        """Asks the validating webhooks.

        Raises:
            ApiError: one refuses, or cannot be asked and must be.
        """
        matched = [(hook, row) for hook in self._validating if (row := self._match(hook, change)) is not None]
        asked = (self._ask(hook, change, row) for hook, row in matched)
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def _match(self, hook: Hook, change: Change) -> Resource | None:
        namespace = self._registry.find("namespaces", "", change.namespace) if change.namespace else None
        row = find_match(hook, change, self._equivalents(change.row), namespace)
        if row is None or not hook.conditions or self._conditions_hold(hook, change, row):
            return row
        return None

    def _conditions_hold(self, hook: Hook, change: Change, row: Resource) -> bool:
        request = review_request(change, row, uid="", user=_user())
        variables = {"object": request["object"], "oldObject": request["oldObject"], "request": request}
        faults = []
        for name, holds in hook.conditions:
            try:
                with cpu_limit(_LONGEST_CONDITION):
                    if holds(variables) is not True:
                        return False
            except CelError as error:
                faults.append(f'expression "{name}" resulted in error: {error}')
            except TooLongError:
                faults.append(f'expression "{name}" resulted in error: operation cancelled: actual cost limit exceeded')
        if faults and not hook.ignores_failure:
            raise ApiError(403, "Forbidden", f"{hook.name} is forbidden: {'; '.join(faults)}", details={})
        return not faults

    async def _ask(self, hook: Hook, change: Change, row: Resource) -> Answer | None:
        """The answer of a webhook that allows the change; None if it cannot be asked and need not be."""
        if change.dry_run and not hook.is_free_of_effects:
            raise effects_refused(hook.name)
        uid = str(uuid.uuid4())
        request = review_request(change, row, uid=uid, user=_user())
        try:
            body = await self._client.ask(hook, {"kind": "AdmissionReview", "apiVersion": API_VERSION, "request": request})
            answer = parse_answer(body, uid=uid)
        except CallError as error:
            if hook.ignores_failure:
                _log.warning('failed calling webhook "%s", failing open: %s', hook.name, error)
                return None
            raise failure(hook.name, str(error)) from None
        caller = current_caller()
        if caller is not None:
            caller.warnings.extend(answer.warnings)
        if not answer.is_allowed:
            raise refusal(hook.name, answer.status)
        return answer


def _user() -> Object:
    caller = current_caller()
    return user_info(caller.identity if caller is not None else SYSTEM)
