"""A page's live part as a tree of keyed elements, and what differs between two such trees. Pure.

An element's `id` is unique in the page and stays while the thing that it shows stays. What changes often is in leaves, what has
children is an empty shell around them: so a change sends the leaf, and one more child sends that child and the order.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from markupsafe import Markup


class Leaf(msgspec.Struct, frozen=True):
    """An element with everything in it; `html` carries the id."""

    id: str
    html: str


class Shell(msgspec.Struct, frozen=True):
    """An element around others. `opening` is its start tag, which carries the id, and `closing` its end tag."""

    id: str
    opening: str
    closing: str
    children: tuple["Element", ...] = ()


Element = Leaf | Shell


class Placed(msgspec.Struct, frozen=True):
    """The element with that id is to be replaced by this one."""

    id: str
    html: str


class Ordered(msgspec.Struct, frozen=True):
    """The children that the element with that id is to have; `new` holds those that were not there."""

    id: str
    order: tuple[str, ...]
    new: tuple[str, ...] = ()


Change = Placed | Ordered


def element_id(kind: str, *parts: str) -> str:
    """An id for what these names name; any text may be in them."""
    digest = hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{kind}-{digest}"


def render(element: Element) -> Markup:
    """The element's HTML; its parts were escaped by the templates that made them."""
    return Markup("".join(_pieces(element)))  # noqa: S704 - see above


def differences(before: Element, after: Element) -> Iterator[Change]:
    """What turns one into the other; both have the same id."""
    if before is after or before == after:
        return
    if isinstance(before, Leaf) or isinstance(after, Leaf) or before.opening != after.opening:
        yield Placed(after.id, "".join(_pieces(after)))
        return
    known = {child.id: child for child in before.children}
    order = tuple(child.id for child in after.children)
    if order != tuple(known):
        new = tuple("".join(_pieces(child)) for child in after.children if child.id not in known)
        yield Ordered(after.id, order, new)
    for child in after.children:
        if child.id in known:
            yield from differences(known[child.id], child)


def to_wire(changes: Sequence[Change]) -> bytes:
    """Changes as the page's script reads them: `[id, html]`, or `[id, order, new]`."""
    return msgspec.json.encode([msgspec.structs.astuple(change) for change in changes])


def _pieces(element: Element) -> Iterator[str]:
    if isinstance(element, Leaf):
        yield element.html
        return
    yield element.opening
    for child in element.children:
        yield from _pieces(child)
    yield element.closing
