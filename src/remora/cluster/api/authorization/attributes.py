"""What a request is about to do, by its method, path and query, as Kubernetes' `RequestInfo` reads it. Pure."""

from collections.abc import Mapping

from remora.cluster.api.authorization.rules import Attributes
from remora.cluster.api.http_message import is_true
from remora.cluster.api.http_path import Address
from remora.cluster.api.selectors import SelectorError, parse_field_selector

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def attributes_of(method: str, path: str, address: Address | None, query: Mapping[str, str]) -> Attributes:
    """`address` is what `path` addresses; None for what is no resource."""
    if address is None or not address.plural:
        return Attributes(verb=method.lower(), path=path)
    verb, name = _VERBS.get(method, ""), address.name
    if not name and verb in ("get", "delete"):
        verb, name = _of_collection(verb, query)
    # A namespace lies in itself: a Role there may say who can read it.
    namespace = name if address.plural == "namespaces" and not address.group and address.name else address.namespace
    return Attributes(
        verb=verb,
        path=path,
        group=address.group,
        version=address.version,
        resource=address.plural,
        subresource=address.subresource,
        namespace=namespace,
        name=name,
    )


def _of_collection(verb: str, query: Mapping[str, str]) -> tuple[str, str]:
    """A list or watch of the one object that a field selector names counts as one of that object."""
    if verb == "delete":
        return "deletecollection", ""
    return "watch" if is_true(query.get("watch", "")) else "list", _named(query.get("fieldSelector", ""))


def _named(selector: str) -> str:
    if "metadata.name" not in selector:
        return ""
    try:
        requirements = parse_field_selector(selector).requirements
    except SelectorError:
        return ""
    wanted = (found.values[0] for found in requirements if found.key == "metadata.name" and found.operator == "in")
    return next(wanted, "")


def why_forbidden(username: str, asked: Attributes, reason: str = "") -> str:
    """Kubernetes' sentence for a refusal."""
    more = f": {reason}" if reason else ""
    if not asked.resource:
        return f'User "{username}" cannot {asked.verb} path "{asked.path}"{more}'
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    what = f'{asked.verb} resource "{asked.combined}" in API group "{asked.group}"'
    return f'User "{username}" cannot {what} {where}{more}'
