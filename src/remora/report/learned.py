"""What an application calls a request's session, as `features.learning` finds it. Pure.

On which pod it was learned stands in the proxy's table alone, so an explanation names the rule and what decides without it.
"""

import re
from collections.abc import Mapping

from remora.model import Learning, NamedIn
from remora.report.sessions import Placement

_PATTERNS = {
    NamedIn.COOKIE: r"(?:.*?[; \t])?{name}=([^; \t]*)",
    NamedIn.QUERY: r"(?:.*?&)?{name}=([^&]*)",
    NamedIn.PATH: r".*?;{name}=([^;/]*)",
}


def session_name(learning: Learning, *, path: str, query: str, cookies: str, headers: Mapping[str, str]) -> str:
    """The name that a request has for its session, "" for none. `headers` are by their names in lower case."""
    if learning.named_in is NamedIn.HEADER:
        return headers.get(learning.name, "")
    text = {NamedIn.COOKIE: cookies, NamedIn.QUERY: query, NamedIn.PATH: path}[learning.named_in]
    found = re.match(_PATTERNS[learning.named_in].format(name=re.escape(learning.name)), text)
    return found[1] if found else ""


def place_learned(learning: Learning, name: str, otherwise: Placement) -> Placement:
    """Where a request goes that has, or has not, a name for its session. `otherwise` is where it goes without one."""
    source = f"{learning.named_in.value} {learning.name}"
    if not name:
        return Placement(otherwise.server, f"no session is named in {source}; {otherwise.reason}")
    known = f"session {name} of {source}: the pod on which the proxy has learned it"
    return Placement(None, f"{known}; if it has learned none, or that pod is gone: {otherwise.reason}")
