"""Names that must not be mistaken for one another."""

from typing import NewType

import msgspec

Hostname = NewType("Hostname", str)
"""A lower-case DNS name without port or trailing dot; `*.example.com` for a wildcard, `""` for "any host"."""

ANY_HOST = Hostname("")


class NamespacedName(msgspec.Struct, frozen=True, order=True, gc=False):
    """An object's place in the API: namespace and name. Written `namespace/name`, or the name alone if it has none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def parse(cls, text: str) -> "NamespacedName":
        """`namespace/name` to its parts.

        Raises:
            ValueError: there is not exactly one slash with text on both sides.
        """
        namespace, slash, name = text.partition("/")
        if not (slash and namespace and name) or "/" in name:
            raise ValueError(f"{text!r} is not of the form namespace/name")
        return cls(namespace, name)


class ObjectRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which object something is about: its kind, its name and, where known, its uid."""

    kind: str
    name: NamespacedName
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
