"""What every handler is given, and what all of them need."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from remora.cluster.api.admission.reviewing import Reviewer
from remora.cluster.api.authorization.authorizer import Authorizer
from remora.cluster.api.errors import ApiError, Object, not_found
from remora.cluster.api.http_message import Request, Response, object_response
from remora.cluster.api.http_path import Address
from remora.cluster.api.http_view import View, check_include
from remora.cluster.api.negotiation import Form
from remora.cluster.api.node import NodePort
from remora.cluster.api.pages import Pages
from remora.cluster.api.patch.updates import Writer, manager_of
from remora.cluster.api.registry import Registry, render_time
from remora.cluster.api.resources import Resource
from remora.cluster.api.tokens import Tokens


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """What the API server acts on; `address` is host and port, by which clients reach it."""

    registry: Registry
    node: NodePort
    tokens: Tokens
    address: str
    pages: Pages = msgspec.field(default_factory=Pages)
    authorizer: Authorizer
    reviewer: Reviewer


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request to one resource."""

    api: Api
    request: Request
    address: Address
    row: Resource
    form: Form

    @property
    def storage(self) -> str:
        return self.row.storage

    @property
    def namespace(self) -> str:
        return self.address.namespace

    @property
    def name(self) -> str:
        return self.address.name

    def find(self) -> Object:
        """The stored object that the path names.

        Raises:
            ApiError: NotFound.
        """
        return self.find_named(self.name)

    def find_named(self, name: str) -> Object:
        """The stored object of that name beside which the path lies.

        Raises:
            ApiError: NotFound.
        """
        found = self.api.registry.find(self.storage, self.namespace, name)
        if found is None:
            raise not_found(self.row.plural, name, group=self.row.group)
        return found

    def writer(self, subresource: str = "") -> Writer:
        """Who owns what this request changes."""
        manager = manager_of(self.request.query.get("fieldManager", ""), self.request.headers.get("user-agent", ""))
        return Writer(manager=manager, time=render_time(self.api.registry.now()), subresource=subresource)

    def view(self) -> View:
        include = check_include(self.request.query.get("includeObject", ""))
        return View(row=self.row, target=self.form.target, include=include, now=datetime.now(UTC))

    def answer(self, obj: Object, *, status: int = 200, warnings: tuple[str, ...] = ()) -> Response:
        """A stored object, shown as the client wants it."""
        return self.raw(self.view().one(obj), status=status, warnings=warnings)

    def raw(self, obj: Object, *, status: int = 200, warnings: tuple[str, ...] = ()) -> Response:
        """An object as it is."""
        deprecation = (self.row.deprecation,) if self.row.deprecation else ()
        return object_response(obj, media=self.form.media, status=status, warnings=(*deprecation, *warnings))


Handler = Callable[[Call], Awaitable[Response]]


def success(*, status: int = 200, details: Object | None = None) -> Object:
    """A Status that says that something was done."""
    head: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        head["details"] = details
    return head if status == 200 else {**head, "code": status}


def resource_version_error(text: str) -> ApiError:
    """Kubernetes' answer to a resourceVersion that is no number."""
    message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    return ApiError(500, "", message)
