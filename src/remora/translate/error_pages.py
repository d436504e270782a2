"""Who answers for a rule whose service cannot, or does so with an error (behaviour reference, part A, section 8)."""

import re
from typing import ClassVar

import msgspec

from remora import model
from remora.annotations.error_pages import ErrorPages
from remora.core.names import NamespacedName
from remora.model import BackendName, ErrorContext, ForwardTo, NotFound, Route, StandIn
from remora.translate.affinity import keeps_unready
from remora.translate.backends import BackendRef, BackendUnit
from remora.translate.default_backend import DefaultBackendUnit, find_first_port
from remora.translate.ingress import Prepared
from remora.translate.routes import Claim
from remora.translate.view import Unit, View

_NAME = re.compile("[A-Za-z0-9._-]*")


class ServedUnit(Unit[bool], frozen=True):
    """Whether a backend has endpoints. A host that asks is translated anew when the first comes or the last goes, and not
    whenever one does."""

    layer: ClassVar[int] = 1
    backend: BackendUnit

    def run(self, view: View) -> bool:
        return bool(view.ask(self.backend).endpoints)


def with_error_pages(view: View, claim: Claim, route: Route) -> Route:
    """The route, sent to a default backend while its own has no endpoints, and with its error pages."""
    owner, rule = claim
    group = owner.parsed.of(ErrorPages)
    action = route.action
    if not (group.backend or group.statuses) or not isinstance(action, ForwardTo):
        return route
    own = _find_own(view, owner)
    context = _context(owner, rule.backend)
    pages = _pages(group, context, own or view.ask(DefaultBackendUnit()).name)
    unready = keeps_unready(owner.parsed, action.affinity)
    upstream = owner.link.upstream(over_tls=True)
    if view.ask(ServedUnit(BackendUnit(rule.backend, action.balancing, unready, upstream=upstream))):
        return msgspec.structs.replace(route, error_pages=pages)
    if own:
        return msgspec.structs.replace(route, action=ForwardTo(own, stand_in=StandIn(context)), error_pages=pages)
    if 503 not in group.statuses or pages is None:
        return msgspec.structs.replace(route, error_pages=pages)
    instead = ForwardTo(pages.backend, stand_in=StandIn(context, at_root=True)) if pages.backend else NotFound()
    return msgspec.structs.replace(route, action=instead, error_pages=pages)


def _pages(group: ErrorPages, context: ErrorContext, backend: BackendName | None) -> model.ErrorPages | None:
    if not group.statuses:
        return None
    return model.ErrorPages(group.statuses, context, backend, group.leaves_pods)


def _find_own(view: View, owner: Prepared) -> BackendName | None:
    """The backend of the annotation `default-backend`, if that has endpoints."""
    name = owner.parsed.of(ErrorPages).backend
    ref = find_first_port(view, NamespacedName(owner.name.namespace, name)) if name else None
    unit = BackendUnit(ref) if ref else None
    return unit.name if unit and view.ask(ServedUnit(unit)) else None


def _context(owner: Prepared, ref: BackendRef) -> ErrorContext:
    texts = (owner.name.namespace, owner.name.name, ref.service.name, str(ref.port))
    return ErrorContext(*(text if _NAME.fullmatch(text) else "" for text in texts))
