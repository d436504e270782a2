"""What the format of the access log asks for that nobody knows."""

import msgspec

from remora.core.names import ObjectRef
from remora.core.options import LOG_VARIABLES, ProxyOptions
from remora.core.problem import Problem
from remora.translate.patterns import find_pattern_fault

_HEADERS = ("http_", "sent_http_", "upstream_http_")


def unknown_variables(options: ProxyOptions) -> tuple[str, ...]:
    """The variables that the access log cannot say."""
    used = dict.fromkeys(options.log_format_upstream[1::2])
    return tuple(name for name in used if name not in LOG_VARIABLES and not name.startswith(_HEADERS))


def unknown_variable(owner: ObjectRef, name: str) -> Problem:
    """What the owner of the ConfigMap is told of one."""
    message = f"log-format-upstream has the variable ${name}, which the access log does not know"
    consequence = "it is written as -, or as nothing with log-format-escape-json"
    return Problem(owner, "data[log-format-upstream]", "LogVariableUnknown", message, consequence)


def without_faulty_urls(options: ProxyOptions, owner: ObjectRef) -> tuple[ProxyOptions, tuple[Problem, ...]]:
    """The options without patterns of `skip-access-log-urls` that the proxy would not take."""
    faults = {one: fault for one in options.skip_access_log_urls if (fault := _fault(one))}
    if not faults:
        return options, ()
    kept = tuple(one for one in options.skip_access_log_urls if one not in faults)
    problems = tuple(
        Problem(owner, "data[skip-access-log-urls]", "SettingRefused", f"{one!r}: {fault}", "what it means is logged")
        for one, fault in faults.items()
    )
    return msgspec.structs.replace(options, skip_access_log_urls=kept), problems


def _fault(wanted: str) -> str | None:
    if not wanted.startswith("~"):
        return None
    return find_pattern_fault(wanted[2:] if wanted.startswith("~*") else wanted[1:])
