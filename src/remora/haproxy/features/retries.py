"""Which requests are sent to another pod, and how often.

HAProxy takes conditions and the number of tries in its text only: those of all routes stand in the section that all others
begin with, and a route with others has a dedicated backend. Whether a request may be sent a second time at all is data.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.grammar import Directive, rule
from remora.model import Retries, RetryOn, whole_retries

_KEYWORDS = {
    RetryOn.ERROR: "conn-failure empty-response",
    RetryOn.TIMEOUT: "response-timeout",
    RetryOn.INVALID_HEADER: "junk-response",
}
_REFUSED_ONLY = "conn-failure"

# POST and its like may have had their effect before the connection broke.
_UNSAFE = "{ method POST PATCH LOCK }"

NEVER, ANY_METHOD, IDEMPOTENT_ONLY = "off", "any", "safe"
"""What the map `proxying` says of sending a request a second time."""


def default_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of the section that all others begin with: for all routes that say nothing."""
    usual = _usual(settings.options, silence=settings.server_timeout)
    yield from dedicated_rules(usual)
    if not usual.conditions:
        yield rule(f"retry-on {_REFUSED_ONLY}")
    # Each try on another server: a pod that refuses costs nobody a request.
    yield rule("option redispatch 1")


def dedicated_rules(retries: Retries | None) -> Iterator[Directive]:
    """What of a route's retries is no data."""
    if retries is None:
        return
    if retries.conditions:
        yield rule("retry-on", *_words(retries.conditions))
    if retries.tries is not None:
        yield rule(f"retries {retries.tries - 1}")


def request_rules(options: ProxyOptions, *, said: str = "") -> Iterator[Directive]:
    """Keeps a request from being sent a second time, though it may go elsewhere while nothing was sent. `said` is what the
    route says, "" in classes where none says anything."""
    disable = "http-request disable-l7-retry"
    is_usual = _usual(options).idempotent_only
    if not said:
        if is_usual:
            yield rule(disable, when=_UNSAFE)
        return
    yield rule(disable, when=f"{{ {said} -m str {NEVER} }}")
    if is_usual:
        yield rule(disable, when=f"{_UNSAFE} !{{ {said} -m str {ANY_METHOD} }}")
    else:
        yield rule(disable, when=f"{_UNSAFE} {{ {said} -m str {IDEMPOTENT_ONLY} }}")


def retry_word(retries: Retries | None) -> str:
    """What the map `proxying` has of a route's retries."""
    if retries is None:
        return ""
    if retries.conditions == ():
        return NEVER
    if retries.idempotent_only is None:
        return ""
    return IDEMPOTENT_ONLY if retries.idempotent_only else ANY_METHOD


def _usual(options: ProxyOptions, *, silence: int = 60) -> Retries:
    return whole_retries(
        options.proxy_next_upstream,
        tries=options.proxy_next_upstream_tries,
        within=options.proxy_next_upstream_timeout,
        silence=silence,
        non_idempotent=options.retry_non_idempotent,
    )


def _words(conditions: tuple[RetryOn, ...]) -> tuple[str, ...]:
    texts = (_KEYWORDS.get(one, one.value.removeprefix("http_")) for one in conditions)
    return tuple(" ".join(texts).split())
