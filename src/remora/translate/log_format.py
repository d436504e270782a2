"""What the format of the access log asks for that nobody knows."""

from remora.core.names import ObjectRef
from remora.core.options import LOG_VARIABLES, ProxyOptions
from remora.core.problem import Problem

_HEADERS = ("http_", "sent_http_", "upstream_http_")


def unknown_variables(options: ProxyOptions) -> tuple[str, ...]:
    """The variables that the access log cannot say."""
    used = dict.fromkeys(options.log_format_upstream[1::2])
    return tuple(name for name in used if name not in LOG_VARIABLES and not name.startswith(_HEADERS))


def unknown_variable(owner: ObjectRef, name: str) -> Problem:
    """What the owner of the ConfigMap is told of one."""
    message = f"log-format-upstream has the variable ${name}, which the access log does not know"
    return Problem(owner, "data[log-format-upstream]", "LogVariableUnknown", message, "it is written as -")
