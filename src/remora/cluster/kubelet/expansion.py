"""`$(NAME)` in commands, arguments and environment values, as Kubernetes expands it. Pure.

`$$` stands for one dollar sign, so `$$(NAME)` stays as `$(NAME)`; a name that is not known is left as it is written.
"""

import re
from collections.abc import Iterable, Mapping

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with every reference to a known name replaced."""

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(replacement, text)


def expand_in_order(pairs: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
    """Environment values in their order: each may refer to `known` and to those before it (Kubernetes `EnvVar.value`)."""
    result: dict[str, str] = {}
    for name, text in pairs:
        result[name] = expand(text, {**known, **result})
    return result
