"""Acting as somebody else: the headers of `kubectl --as`, and who may send them (Kubernetes' `WithImpersonation`)."""

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from remora.cluster.api.authorization.authorizer import Authorizer
from remora.cluster.api.authorization.rules import Attributes
from remora.cluster.api.errors import ApiError
from remora.cluster.api.tokens import Identity

_PREFIX = b"impersonate-"
_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_ANONYMOUS = "system:anonymous"
_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"


def impersonated(authorizer: Authorizer, identity: Identity, headers: Iterable[tuple[bytes, bytes]]) -> Identity:
    """Whom the request acts as; the identity itself without such headers. Header names are in lower case.

    Raises:
        ApiError: Forbidden; it may not.
    """
    asked = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers if name.startswith(_PREFIX)]
    if not asked:
        return identity
    wanted = _wanted(asked)
    for attributes in _needed(wanted, given_groups=tuple(value for name, value in asked if name == _GROUP)):
        authorizer.check(identity, attributes)
    return wanted


def _wanted(asked: list[tuple[str, str]]) -> Identity:
    users = [value for name, value in asked if name == _USER]
    if not users or not users[0]:
        raise ApiError(500, "InternalError", "Internal error occurred: requested impersonation without impersonating a user")
    groups = [value for name, value in asked if name == _GROUP]
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in asked:
        if name.startswith(_EXTRA):
            key = unquote(name.removeprefix(_EXTRA))
            extra[key] = (*extra.get(key, ()), value)
    uid = next((value for name, value in asked if name == _UID), "")
    return Identity(users[0], tuple(_groups(users[0], groups)), uid, extra)


def _groups(user: str, given: list[str]) -> Iterator[str]:
    account = _account(user)
    if account and not given:
        yield from ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    yield from given
    if user == _ANONYMOUS:
        if _UNAUTHENTICATED not in given:
            yield _UNAUTHENTICATED
    elif _AUTHENTICATED not in given and _UNAUTHENTICATED not in given:
        yield _AUTHENTICATED


def _account(user: str) -> tuple[str, str] | None:
    """Namespace and name, if a user is a service account."""
    if not user.startswith(_ACCOUNT):
        return None
    namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None


def _needed(wanted: Identity, *, given_groups: tuple[str, ...]) -> Iterator[Attributes]:
    """What one must be allowed to, to act as somebody."""
    account = _account(wanted.username)
    if account:
        yield Attributes(verb="impersonate", version="v1", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(verb="impersonate", version="v1", resource="users", name=wanted.username)
    for group in given_groups:
        yield Attributes(verb="impersonate", version="v1", resource="groups", name=group)
    identity = "authentication.k8s.io"
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(
                verb="impersonate", group=identity, version="v1", resource="userextras", subresource=key, name=value
            )
    if wanted.uid:
        yield Attributes(verb="impersonate", group=identity, version="v1", resource="uids", name=wanted.uid)
