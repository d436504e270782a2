"""A backend as a route wants it: which endpoints, which class, which directives of its own."""

import hashlib

import msgspec

from remora.haproxy.grammar import Directive, render_directive
from remora.haproxy.pool import BackendClass
from remora.model import BackendName


class Target(msgspec.Struct, frozen=True):
    """`dedicated` is what HAProxy takes only in its text, and makes the backend a dedicated one at the price of a reload.

    No annotation needs any so far.
    """

    backend: BackendName
    kind: BackendClass
    dedicated: tuple[Directive, ...] = ()

    @property
    def name(self) -> str:
        """Unique and stable: the same on every replica."""
        name = f"{self.backend}:{self.kind.name}"
        if not self.dedicated:
            return name
        text = "\n".join(map(render_directive, self.dedicated))
        return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
