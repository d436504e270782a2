"""From annotations to how requests are sent to pods: timeouts, retries, names in answers, copies."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from remora.annotations.backend_tls import BackendProtocol
from remora.annotations.configmap import UpstreamConnections
from remora.annotations.headers import Headers
from remora.annotations.mirror import Mirror
from remora.annotations.registry import Defaults, Parsed
from remora.annotations.responses import OFF, Responses
from remora.annotations.timeouts import Timeouts
from remora.core.names import ObjectRef
from remora.core.problem import Problem
from remora.model import AnswerNames, ForwardTo, Replacement, Retries, whole_retries
from remora.model import Mirror as MirrorPolicy

_NO_REDIRECT = (OFF, "default")


def with_proxying(action: ForwardTo, parsed: Parsed) -> ForwardTo:
    """The action, with all of it that the Ingress asks for and that is not as usual."""
    said: dict[str, Any] = {
        "read_timeout": _find_read_timeout(parsed),
        "retries": _find_retries(parsed),
        "answer_names": _find_answer_names(parsed.of(Responses)),
        "mirror": _find_mirror(parsed.of(Mirror)),
        "closes_connection": parsed.of(Headers).connection.lower() == "close",
    }
    return msgspec.structs.replace(action, **said) if any(said.values()) else action


def _find_read_timeout(parsed: Parsed) -> int | None:
    value = parsed.of(Timeouts).read
    return value if value != parsed.defaults.of(Timeouts).read else None


def _find_retries(parsed: Parsed) -> Retries | None:
    """What is other than the usual."""
    if parsed.of(Timeouts) is parsed.defaults.of(Timeouts):
        return None
    usual, wanted = _whole_retries(parsed.defaults), _whole_retries(parsed)
    conditions = wanted.conditions if wanted.conditions != usual.conditions else None
    never_again = wanted.conditions == ()
    tries = wanted.tries if wanted.tries != usual.tries and not never_again else None
    changes_method = wanted.idempotent_only != usual.idempotent_only and not never_again
    found = Retries(conditions, tries, wanted.idempotent_only if changes_method else None)
    return found if found != Retries() else None


def _whole_retries(said: Parsed | Defaults) -> Retries:
    group = said.of(Timeouts)
    return whole_retries(
        group.next_upstream,
        tries=group.next_upstream_tries,
        within=group.next_upstream_timeout,
        silence=group.read,
        non_idempotent=said.of(UpstreamConnections).retry_non_idempotent,
    )


def _find_answer_names(group: Responses) -> AnswerNames | None:
    is_redirected = group.redirect_from not in _NO_REDIRECT and group.redirect_to not in _NO_REDIRECT
    found = AnswerNames(
        cookie_domain=_replacement(group.cookie_domain),
        cookie_path=_replacement(group.cookie_path),
        redirect=Replacement(group.redirect_from, group.redirect_to) if is_redirected else None,
    )
    return found if found != AnswerNames() else None


def _replacement(pair: tuple[str, ...]) -> Replacement | None:
    return Replacement(*pair) if pair else None


def _find_mirror(group: Mirror) -> MirrorPolicy | None:
    if not group.target:
        return None
    return MirrorPolicy(group.target, group.host or urlsplit(group.target.partition("$")[0]).netloc, group.request_body == "on")


def proxying_problems(ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """What is asked for and cannot be had of well-formed annotations."""
    where = "metadata.annotations"
    timeouts, usual = parsed.of(Timeouts), parsed.defaults.of(Timeouts)
    if timeouts.connect != usual.connect:
        message = f"proxy-connect-timeout is {timeouts.connect}, but HAProxy has one for all routes, set by the ConfigMap's key"
        yield Problem(ref, where, "ConnectTimeoutShared", message, f"each try to connect may take {usual.connect} s")
    if "http_429" in timeouts.next_upstream and "http_429" not in usual.next_upstream:
        message = "http_429 in proxy-next-upstream is not known to HAProxy"
        yield Problem(ref, where, "RetryUnknown", message, "an answer with 429 is passed on; the other conditions hold")
    if parsed.of(BackendProtocol).http_version == "1.0":
        message = "proxy-http-version is 1.0, which HAProxy does not speak to pods"
        yield Problem(ref, where, "HttpVersionUnavailable", message, "pods are spoken to in HTTP/1.1")
