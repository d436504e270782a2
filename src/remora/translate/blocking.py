"""Regular expressions of the ConfigMap that the proxy would not take: nobody may come in for that reason."""

import dataclasses
from collections.abc import Iterator

import msgspec

from remora.annotations.configmap import Access
from remora.annotations.registry import Defaults
from remora.core.names import ObjectRef
from remora.core.problem import Problem, Severity
from remora.translate.patterns import find_pattern_fault


def without_faulty_patterns(defaults: Defaults, owner: ObjectRef) -> Defaults:
    """The defaults without lists in which a pattern is faulty; instead of them everything is closed."""
    found = defaults.of(Access)
    lists = {"block-user-agents": found.block_user_agents, "block-referers": found.block_referers}
    faults = {key: fault for key, wanted in lists.items() if (fault := next(_faults(wanted), None))}
    if not faults:
        return defaults
    emptied = dataclasses.replace(
        found,
        block_user_agents=() if "block-user-agents" in faults else found.block_user_agents,
        block_referers=() if "block-referers" in faults else found.block_referers,
    )
    consequence = "every path of every Ingress that does not say otherwise answers 503"
    problems = tuple(
        Problem(owner, f"data[{key}]", "SettingRefused", fault, consequence, Severity.ERROR) for key, fault in faults.items()
    )
    return msgspec.structs.replace(
        defaults,
        groups={**defaults.groups, Access: emptied},
        guards=defaults.guards | faults.keys(),
        problems=(*defaults.problems, *problems),
    )


def _faults(wanted: tuple[str, ...]) -> Iterator[str]:
    for one in wanted:
        if one.startswith("~"):
            pattern = one[2:] if one.startswith("~*") else one[1:]
            if fault := find_pattern_fault(pattern):
                yield f"{pattern!r} is not a regular expression here: {fault}"
