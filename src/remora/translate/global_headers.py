"""The ConfigMaps that `proxy-set-headers` and `add-headers` name, as headers."""

import re
from collections.abc import Iterator

from remora.core.names import NamespacedName, ObjectRef
from remora.core.options import HEADER_VARIABLE, HeaderValue
from remora.core.problem import Problem
from remora.kube.objects import ConfigMap
from remora.translate.view import View

OF_ALL = frozenset(("remote_addr", "scheme", "ssl_protocol", "ssl_cipher"))
"""Variables that answers know too."""
OF_REQUESTS = OF_ALL | {"host", "http_host", "request_uri", "request_method"}

_VARIABLE = re.compile(r"\$(?:([a-z][a-z0-9_]*)|\{([a-z][a-z0-9_]*)\})")
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_VALUE = re.compile("(?:[!-~](?:[ -~]{0,1000}[!-~])?)?")
_FRAMING = frozenset(("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"))
"""Headers that say how a message is to be read."""
_MOST = 50

Headers = tuple[tuple[str, HeaderValue], ...]


def find_headers(
    view: View, reference: str, *, key: str, owner: ObjectRef, variables: frozenset[str]
) -> tuple[Headers, tuple[Problem, ...]]:
    """The headers of a ConfigMap by name, and what is wrong in it. `owner` is the controller's ConfigMap, `key` its key."""
    if not reference:
        return (), ()
    found = view.find(ConfigMap, NamespacedName.parse(reference))
    field = f"data[{key}]"
    if found is None:
        problem = Problem(owner, field, "SettingRefused", f"there is no ConfigMap {reference}", "no header is set")
        return (), (problem,)
    headers: list[tuple[str, HeaderValue]] = []
    problems: list[Problem] = []
    for name, text in sorted((found.data or {}).items()):
        value = _value(text.strip(), variables)
        fault = _fault(name, text.strip(), value, variables) if len(headers) < _MOST else f"there are more than {_MOST}"
        if fault or value is None:
            problems.append(Problem(found.ref, f"data[{name}]", "HeaderRefused", fault, "it is not set"))
        else:
            headers.append((name, value))
    return tuple(headers), tuple(problems)


def _fault(name: str, text: str, value: HeaderValue | None, variables: frozenset[str]) -> str:
    if not _NAME.fullmatch(name):
        return "the key is not the name of a header"
    if name.lower() in _FRAMING:
        return f"{name} is the proxy's own business"
    if not _VALUE.fullmatch(text):
        return "the value is not one line of ASCII"
    if value is None:
        return f"the value has a variable other than {', '.join(f'${one}' for one in sorted(variables))}"
    return ""


def _value(text: str, variables: frozenset[str]) -> HeaderValue | None:
    """Text and variables in turn; None if one of them is not known."""
    pieces = list(_pieces(text))
    is_known = all(_is_known(one, variables) for one in pieces[1::2])
    return tuple(pieces) if is_known and not any("$" in one for one in pieces[::2]) else None


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for found in _VARIABLE.finditer(text):
        yield text[start : found.start()]
        yield found[1] or found[2]
        start = found.end()
    yield text[start:]


def _is_known(variable: str, variables: frozenset[str]) -> bool:
    is_header = variable.startswith(HEADER_VARIABLE) and variables >= OF_REQUESTS
    return variable in variables or (is_header and len(variable) > len(HEADER_VARIABLE))
