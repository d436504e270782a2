"""What is done to the requests and answers of a route beside sending them somewhere."""

import msgspec


class Cors(msgspec.Struct, frozen=True, gc=False):
    """What browsers may do from pages of other origins (Fetch standard, section 3.3). Texts are those of the headers.

    `origins` are in lower case: `scheme://host[:port]`, `scheme://*.host[:port]` for exactly one label, or `null`. None
    stands for any origin, and then the headers are on every answer.
    """

    origins: tuple[str, ...] | None
    methods: str
    headers: str
    credentials: bool
    expose_headers: str
    max_age: int
