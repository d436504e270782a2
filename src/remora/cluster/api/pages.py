"""Lists in pages: every page shows what there was at the first one."""

import base64
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from remora.cluster.api.errors import ApiError, Object, bad_request
from remora.cluster.api.parsing import json_fault

_VERSION = "meta.k8s.io/v1"
_MOST = 32
"""Lists that are remembered; whoever comes back later than that begins anew."""
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_ANY = -1


class Place(msgspec.Struct, frozen=True):
    """Where the next page begins: after the key `start`. The version is that of the first page, or -1 for whatever there is."""

    rv: int
    start: tuple[str, str]
    v: str = _VERSION


class Key(NamedTuple):
    """Which list, and at which version."""

    resource: str
    namespace: str
    labels: str
    fields: str
    version: int


class Pages:
    """The lists of which somebody has seen a page; their objects are kept, or were, by the store anyhow."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Sequence[Object]] = OrderedDict()

    def keep(self, key: Key, objects: Sequence[Object]) -> None:
        self._kept[key] = objects
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def find(self, key: Key) -> Sequence[Object] | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found


def rest_of(pages: Pages, key: Key, now: Sequence[Object], place: Place) -> tuple[Sequence[Object], int]:
    """What follows a place, and the version at which it did; `key` and `now` are of the list as it is at present.

    Raises:
        ApiError: Expired; nobody remembers that list.
    """
    objects: Sequence[Object] | None = now
    version = key.version if place.rv == _ANY else place.rv
    if version != key.version:
        objects = pages.find(key._replace(version=version))
    if objects is None:
        going_on = render_place(Place(_ANY, place.start))
        raise ApiError(410, "Expired", _TOO_OLD, metadata={"continue": going_on})
    return [obj for obj in objects if key_of(obj) > place.start], version


def key_of(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def render_place(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def parse_place(token: str) -> Place:
    """A `continue` token.

    Raises:
        ApiError: BadRequest; it is none of ours.
    """
    strange = re.search("[^A-Za-z0-9_-]", token)
    if strange or len(token) % 4 == 1:
        raise _invalid(f"illegal base64 data at input byte {strange.start() if strange else len(token) - 1}")
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    try:
        place = msgspec.json.decode(text, type=Place)
    except ValueError:
        raise _invalid(json_fault(text)) from None
    if place.v != _VERSION:
        raise _invalid(f"server does not recognize this encoded version {place.v}")
    if place.rv == 0 or place.rv < _ANY:
        raise _invalid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    return place


def _invalid(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")
