"""How requests of a route are sent to pods, and what becomes of the names in pods' answers."""

from enum import Enum

import msgspec

MOST_TRIES = 10


class RetryOn(Enum):
    """What makes another pod be tried, in nginx's words."""

    ERROR = "error"
    """The connection is refused or breaks before the answer begins."""
    TIMEOUT = "timeout"
    """The pod is silent for as long as it may be."""
    INVALID_HEADER = "invalid_header"
    """What it answers is no HTTP."""
    FORBIDDEN = "http_403"
    NOT_FOUND = "http_404"
    INTERNAL_ERROR = "http_500"
    BAD_GATEWAY = "http_502"
    UNAVAILABLE = "http_503"
    GATEWAY_TIMEOUT = "http_504"


class Retries(msgspec.Struct, frozen=True, gc=False):
    """How a route's requests are tried again, where that is not as for all routes (None).

    With no `conditions` a request that a pod has taken is never sent to another one. `tries` counts the first. A request that
    is not `idempotent_only` is tried again whatever its method.
    """

    conditions: tuple[RetryOn, ...] | None = None
    tries: int | None = None
    idempotent_only: bool | None = None


class Replacement(msgspec.Struct, frozen=True, gc=False):
    """A text, and what takes its place."""

    before: str
    after: str


class AnswerNames(msgspec.Struct, frozen=True, gc=False):
    """Names inside that pods put into their answers, and what they are outside.

    A cookie's domain is compared as a whole, its path and a redirect's target by how they begin. Redirects may hold `$host`,
    `$http_host` and `$scheme`, which are the request's.
    """

    cookie_domain: Replacement | None = None
    cookie_path: Replacement | None = None
    redirect: Replacement | None = None


class Mirror(msgspec.Struct, frozen=True, gc=False):
    """Who gets a copy of every request. In `url`, `$request_uri` and `$host` are the request's; `host` is the copy's Host."""

    url: str
    host: str
    with_body: bool = True


def whole_retries(words: tuple[str, ...], *, tries: int, within: int, silence: int, non_idempotent: bool) -> Retries:
    """What nginx's words mean, with nothing left open. `within` bounds the time in which tries may begin, 0 for not at all;
    `silence` is how long each waits for a pod. A request of any number of tries has ten."""
    conditions = () if "off" in words else tuple(one for one in RetryOn if one.value in words)
    count = min(tries or MOST_TRIES, MOST_TRIES)
    if within and RetryOn.TIMEOUT in conditions:
        begun = -(-within // silence)
        if begun == 1:
            conditions = tuple(one for one in conditions if one is not RetryOn.TIMEOUT)
        else:
            count = min(count, begun)
    return Retries(conditions, count, idempotent_only=not (non_idempotent or "non_idempotent" in words))
