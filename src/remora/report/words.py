"""Values of the Model in words. Pure."""

from enum import Enum
from typing import Any, assert_never

import msgspec

from remora.model import ExactPath, PathMatch, PrefixPath, RegexPath


def match_words(match: PathMatch) -> str:
    """`Prefix /shop`."""
    match match:
        case ExactPath(path=path):
            return f"Exact {path}"
        case PrefixPath(path=path):
            return f"Prefix {path or '/'}"
        case RegexPath(pattern=pattern):
            return f"Regex {pattern}"
        case _:
            assert_never(match)


def struct_words(value: Any) -> str:
    """A value in one line; of a struct the name, where it is one of several, and the fields that are not the usual."""
    if isinstance(value, msgspec.Struct):
        defaults = {field.name: field.default for field in msgspec.structs.fields(value)}
        named = ((name, getattr(value, name)) for name in value.__struct_fields__)
        told = [
            f"{name.replace('_', ' ')} {struct_words(one)}" for name, one in named if one is not None and one != defaults[name]
        ]
        kind = type(value).__name__ if value.__struct_config__.tag else ""
        return " ".join(filter(None, (kind, ", ".join(told)))) or type(value).__name__
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list | frozenset):
        return " ".join(struct_words(one) for one in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
