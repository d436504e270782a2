"""How the requests of a route are traced (W3C Trace Context)."""

import msgspec


class Tracing(msgspec.Struct, frozen=True, gc=False):
    """A span for every request. `trusts` says that a client's trace goes on; `name` is what spans are called, "" for the
    method and the path of the route."""

    trusts: bool = True
    name: str = ""
