"""A backend as a route wants it: which endpoints, which class, which directives of its own."""

import hashlib

import msgspec

from remora.haproxy.pool import BackendClass
from remora.model import BackendName, ReplacePath


class Target(msgspec.Struct, frozen=True):
    """`rewrite` is what HAProxy takes only in its text, and makes the backend a dedicated one."""

    backend: BackendName
    kind: BackendClass
    rewrite: ReplacePath | None = None

    @property
    def name(self) -> str:
        """Unique and stable: the same on every replica."""
        name = f"{self.backend}:{self.kind.name}"
        if self.rewrite is None:
            return name
        text = f"{self.rewrite.pattern}\n{self.rewrite.replacement}"
        return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
