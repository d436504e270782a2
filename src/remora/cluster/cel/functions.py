"""The functions of CEL's standard library and of Kubernetes' (`k8s.io/apiserver/pkg/cel/library`), by name. Pure.

A wrong type shows itself as Python's TypeError, AttributeError or ValueError, which the compiler calls "no such overload".
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import msgspec

from remora.cluster.cel.things import (
    FORMATS,
    Format,
    Function,
    Quantity,
    contains_cidr,
    contains_ip,
    named_format,
    parse_cidr,
    parse_ip,
    parse_url,
    quantity,
    succeeds,
    text_of,
    validate,
)
from remora.cluster.cel.values import (
    NONE,
    CelError,
    Optional,
    check_size,
    check_whole,
    compare,
    equal,
    parse_duration,
    parse_timestamp,
    regex,
    render_duration,
    render_timestamp,
    some,
    type_name,
)


def _size(value: Any) -> int:
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise CelError("no such overload")


def to_string(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)
        case timedelta():
            return render_duration(value)
        case datetime():
            return render_timestamp(value)
        case bytes():
            return value.decode()
        case list() | dict() | None:
            raise CelError("no such overload")
        case _:
            return str(getattr(value, "value", value))


def _to_int(value: Any) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp())
    try:
        return int(value)
    except (ValueError, OverflowError):
        raise CelError(f"type conversion error from '{type_name(value)}' to 'int'") from None


def _to_double(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise CelError(f"type conversion error from '{type_name(value)}' to 'double'") from None


def _to_bool(value: Any) -> bool:
    found = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(str(value).lower())
    if found is None:
        raise CelError("type conversion error from 'string' to 'bool'")
    return found


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise CelError(f"index out of range: {start}")
    return text[start:stop]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise CelError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(value: Any, item: Any, start: int = 0) -> int:
    if isinstance(value, str):
        return value.find(text_of(item), start)
    return next((index for index, found in enumerate(value) if equal(found, item)), -1)


def _last_index_of(value: Any, item: Any) -> int:
    if isinstance(value, str):
        return value.rfind(text_of(item))
    return next((index for index in reversed(range(len(value))) if equal(value[index], item)), -1)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = text.split(separator) if separator else list(text)
    if 0 < limit < len(parts):
        return [*parts[: limit - 1], separator.join(parts[limit - 1 :])]
    return parts


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    count = text_of(text).count(old)
    check_size(len(text) + (count if limit < 0 else min(limit, count)) * len(new))
    return text.replace(old, new, limit)


def _join(items: list[str], separator: str = "") -> str:
    check_size(sum(len(item) + len(separator) for item in items))
    return separator.join(items)


def _reverse(value: Any) -> Any:
    return value[::-1]


def _format(template: str, arguments: list[Any]) -> str:
    """`%s` and `%d` write what they are given, `%.Nf` a number."""
    check_whole(arguments)
    parts = iter(arguments)

    def shown(found: Any) -> str:
        if found[0] == "%%":
            return "%"
        value = next(parts, None)
        if found[2] in ("f", "e"):
            check_size(int((found[1] or "6")[:9]))
            return f"{float(value or 0):.{found[1] or 6}{found[2]}}"
        if found[2] in ("b", "o", "x", "X"):
            return format(int(value or 0), found[2])
        return (
            "null"
            if value is None
            else msgspec.json.encode(value).decode()
            if isinstance(value, list | dict)
            else to_string(value)
        )

    return regex(r"%(?:%|(?:\.(\d+))?([sdfebxXo]))").sub(shown, template)


def _is_sorted(items: list[Any]) -> bool:
    return all(compare(one, other) <= 0 for one, other in pairwise(items))


def _extreme(items: list[Any], sign: int) -> Any:
    if not items:
        raise CelError(f"{'max' if sign > 0 else 'min'} called on empty list")
    found = items[0]
    for item in items[1:]:
        found = item if compare(item, found) * sign > 0 else found
    return found


def _sum(items: list[Any]) -> Any:
    if any(isinstance(item, timedelta) for item in items):
        return sum(items, timedelta())
    return sum(items)


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not any(equal(item, other) for other in found):
            found.append(item)
    return found


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat += _flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item]
    return flat


def _find(text: str, pattern: str) -> str:
    found = regex(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in regex(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


def _matches(text: Any, pattern: Any) -> bool:
    return regex(text_of(pattern)).search(text_of(text)) is not None


def _contains(text: str, part: str) -> bool:
    return text_of(part) in text_of(text)


def _value(optional: Any) -> Any:
    if not optional.has_value:
        raise CelError("optional.none() dereference")
    return optional.value


def _or(optional: Optional, other: Any) -> Any:
    return optional if optional.has_value else other


def _or_value(optional: Optional, other: Any) -> Any:
    return optional.value if optional.has_value else other


def _time_part(pick: Function) -> Function:
    def part(moment: Any, zone: str = "UTC") -> int:
        if isinstance(moment, timedelta):
            raise CelError("no such overload")
        return int(pick(moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))))

    return part


def _clock_part(of_time: Function, unit: timedelta) -> Function:
    def part(value: Any, zone: str = "UTC") -> int:
        if isinstance(value, timedelta):
            return int(value / unit)
        return int(_time_part(of_time)(value, zone))

    return part


FUNCTIONS: dict[str, Function] = {
    "size": _size,
    "type": type_name,
    "dyn": lambda value: value,
    "int": _to_int,
    "uint": _to_int,
    "double": _to_double,
    "string": to_string,
    "bool": _to_bool,
    "bytes": lambda value: value if isinstance(value, bytes) else text_of(value).encode(),
    "duration": lambda value: value if isinstance(value, timedelta) else parse_duration(text_of(value)),
    "timestamp": lambda value: value if isinstance(value, datetime) else parse_timestamp(text_of(value)),
    "matches": _matches,
    "quantity": quantity,
    "isQuantity": succeeds(quantity),
    "ip": parse_ip,
    "isIP": succeeds(parse_ip),
    "cidr": parse_cidr,
    "isCIDR": succeeds(parse_cidr),
    "url": parse_url,
    "isURL": succeeds(parse_url),
}

METHODS: dict[str, Function] = {
    "size": _size,
    "matches": _matches,
    "contains": _contains,
    "startsWith": lambda text, part: text_of(text).startswith(text_of(part)),
    "endsWith": lambda text, part: text_of(text).endswith(text_of(part)),
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: text_of(text).lower(),
    "upperAscii": lambda text: text_of(text).upper(),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: text_of(text).strip(),
    "join": _join,
    "reverse": _reverse,
    "format": _format,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": lambda items: _extreme(items, -1),
    "max": lambda items: _extreme(items, 1),
    "distinct": _distinct,
    "flatten": _flatten,
    "sort": sorted,
    "slice": lambda items, start, end: items[start:end],
    "first": lambda items: some(items[0]) if items else NONE,
    "last": lambda items: some(items[-1]) if items else NONE,
    "hasValue": lambda optional: optional.has_value,
    "value": _value,
    "orValue": _or_value,
    "or": _or,
    "validate": validate,
    "family": lambda address: address.version,
    "isUnspecified": lambda address: address.is_unspecified,
    "isLoopback": lambda address: address.is_loopback,
    "isLinkLocalMulticast": lambda address: address.is_multicast and address.is_link_local,
    "isLinkLocalUnicast": lambda address: address.is_link_local,
    "isGlobalUnicast": lambda address: not (address.is_multicast or address.is_loopback or address.is_unspecified),
    "containsIP": contains_ip,
    "containsCIDR": contains_cidr,
    "prefixLength": lambda network: network.network.prefixlen,
    "masked": lambda network: ipaddress.ip_interface(network.network),
    "ip": lambda network: network.ip,
    "getScheme": lambda url: url.scheme,
    "getHost": lambda url: url.netloc.rpartition("@")[2],
    "getHostname": lambda url: url.hostname or "",
    "getPort": lambda url: str(url.port or ""),
    "getEscapedPath": lambda url: url.path,
    "getQuery": lambda url: parse_qs(url.query, keep_blank_values=True),
    "isInteger": lambda found: found.value == int(found.value),
    "asInteger": lambda found: int(found.value),
    "asApproximateFloat": lambda found: float(found.value),
    "sign": lambda found: (found.value > 0) - (found.value < 0),
    "add": lambda found, other: Quantity(found.value + getattr(other, "value", other)),
    "sub": lambda found, other: Quantity(found.value - getattr(other, "value", other)),
    "isLessThan": lambda found, other: found.value < other.value,
    "isGreaterThan": lambda found, other: found.value > other.value,
    "compareTo": lambda found, other: (found.value > other.value) - (found.value < other.value),
    "getFullYear": _time_part(lambda moment: moment.year),
    "getMonth": _time_part(lambda moment: moment.month - 1),
    "getDate": _time_part(lambda moment: moment.day),
    "getDayOfMonth": _time_part(lambda moment: moment.day - 1),
    "getDayOfWeek": _time_part(lambda moment: moment.isoweekday() % 7),
    "getDayOfYear": _time_part(lambda moment: moment.timetuple().tm_yday - 1),
    "getHours": _clock_part(lambda moment: moment.hour, timedelta(hours=1)),
    "getMinutes": _clock_part(lambda moment: moment.minute, timedelta(minutes=1)),
    "getSeconds": _clock_part(lambda moment: moment.second, timedelta(seconds=1)),
    "getMilliseconds": _clock_part(lambda moment: moment.microsecond // 1000, timedelta(milliseconds=1)),
}

NAMESPACES: dict[str, dict[str, Function]] = {
    "optional": {"of": some, "none": lambda: NONE, "ofNonZeroValue": lambda value: some(value) if value else NONE},
    "format": {
        "named": named_format,
        **{name: (lambda name=name, faults=faults: Format(name, faults)) for name, faults in FORMATS.items()},
    },
    "math": {
        "greatest": lambda *items: max(items[0] if isinstance(items[0], list) else items),
        "least": lambda *items: min(items[0] if isinstance(items[0], list) else items),
        "abs": abs,
    },
    "ip": {"isCanonical": lambda text: str(parse_ip(text)) == text},
    "sets": {
        "contains": lambda whole, part: all(any(equal(item, found) for found in whole) for item in part),
        "intersects": lambda one, other: any(equal(item, found) for item in one for found in other),
        "equivalent": lambda one, other: all(item in other for item in one) and all(item in one for item in other),
    },
}
