"""Whether a session's lifetime is over, as `features.session_lifetime` judges it. Pure: the time is given."""

import msgspec

from remora.haproxy.features.session_lifetime import absolute_limit, idle_limit, is_stamped, sign
from remora.model import Affinity

_UNLESS = ", unless something of it was under way since, which only the proxy knows"


class Judge(msgspec.Struct, frozen=True):
    """What a stamp is judged by: the key of signatures, and the time in seconds since 1970."""

    key: str
    now: int

    def __repr__(self) -> str:
        return f"Judge(<redacted>, {self.now})"


def why_over(value: str, affinity: Affinity, judge: Judge | None) -> str:
    """Why the session in a cookie's value counts as none, in words; "" if it does not. Without a judge nothing is over."""
    identifier, issued, seen, signature = _stamp_of(value)
    if judge is None or not is_stamped(affinity) or not signature:
        return ""
    if sign(judge.key, f"{identifier}.{issued}.{seen}") != signature:
        return "the lifetime in the cookie is not one that this cluster signed"
    idle, age = (judge.now - int(text, 16) for text in (seen, issued))
    idle_at_most, age_at_most = idle_limit(affinity), absolute_limit(affinity)
    if idle_at_most is not None and idle > idle_at_most:
        why = f"the session was idle for {idle} s, which is more than its {affinity.sessions.idle_timeout} s"
        return f"{why}{_UNLESS}" if affinity.sessions.tracking else why
    if age_at_most is not None and age > age_at_most:
        return f"the session is {age} s old, which is more than its {affinity.sessions.absolute_timeout} s"
    return ""


def _stamp_of(value: str) -> tuple[str, str, str, str]:
    pieces = [*value.split("|"), "", ""]
    before = pieces[0].partition("~")[0] if "~" in pieces[0] else ""
    identifier, issued, seen, signature, *_ = [*(pieces[2] or before).split("."), "", "", ""]
    return identifier, issued, seen, signature
