"""Paths of the API: `/api/v1/...` and `/apis/GROUP/VERSION/...` to what they address. Pure."""

import re
from urllib.parse import unquote

import msgspec

_PROXY = re.compile(r"(/api/[^/]+/(?:namespaces/[^/]+/[^/]+|nodes)/[^/]+/proxy)/(.*)")
"""The one subresource that has a path of its own behind it."""
_OF_NAMESPACE = ("status", "finalize")


class Address(msgspec.Struct, frozen=True):
    """What a path addresses; "" for parts that it does not have. Without `plural` it is a version's list of resources.

    `rest` is the path behind a proxy, as the client wrote it.
    """

    group: str
    version: str
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def parse_path(path: str) -> Address | None:
    """The address of a resource path; None for every other path."""
    if through := _PROXY.fullmatch(path):
        address = parse_path(through[1])
        return address and msgspec.structs.replace(address, rest=through[2])
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 2:
        return _parse_resource("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) >= 3:
        return _parse_resource(parts[1], parts[2], parts[3:])
    return None


def _parse_resource(group: str, version: str, rest: list[str]) -> Address | None:
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in _OF_NAMESPACE:
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 or not all(rest):
        return None
    plural, name, subresource = (*rest, "", "", "")[:3]
    if plural == "namespaces" and name and not namespace:
        # A namespace is kept without one, although its path looks as if it were in itself.
        return Address(group, version, "", plural, name, subresource)
    return Address(group, version, namespace, plural, name, subresource)
