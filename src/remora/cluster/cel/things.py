"""The things that Kubernetes adds to CEL's: quantities, IP addresses and CIDRs, URLs, and named formats of text. Pure."""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import msgspec

from remora.cluster.api.names import (
    wrong_with_label,
    wrong_with_label_1035,
    wrong_with_label_value,
    wrong_with_qualified_name,
    wrong_with_subdomain,
)
from remora.cluster.cel.values import NONE, CelError, Optional, parse_timestamp, regex, some

Function = Callable[..., Any]

_QUANTITY_SUFFIXES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
}


class Quantity(msgspec.Struct, frozen=True):
    value: Decimal


class Format(msgspec.Struct, frozen=True):
    """A named format; its faults in a text are a list that is empty for a fitting one."""

    name: str
    faults: Function


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise CelError("no such overload")
    return value


def quantity(text: str) -> Quantity:
    number = text_of(text).rstrip("numkKMGTPEi")
    try:
        return Quantity(Decimal(number) * _QUANTITY_SUFFIXES[text[len(number) :]])
    except (InvalidOperation, KeyError):
        raise CelError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'") from None


def succeeds(make: Function) -> Function:
    def check(text: Any) -> bool:
        try:
            make(text_of(text))
        except (CelError, ValueError):
            return False
        return True

    return check


def parse_ip(text: str) -> Any:
    try:
        if "%" in text:
            raise ValueError
        return ipaddress.ip_address(text_of(text))
    except ValueError:
        raise CelError(f'IP Address "{text}" parse error during conversion from string') from None


def parse_cidr(text: str) -> Any:
    try:
        if "/" not in text:
            raise ValueError
        return ipaddress.ip_interface(text_of(text))
    except ValueError:
        raise CelError(f'network address parse error during conversion from string: "{text}"') from None


def contains_ip(network: Any, address: Any) -> bool:
    return (parse_ip(address) if isinstance(address, str) else address) in network.network


def contains_cidr(network: Any, other: Any) -> bool:
    return bool((parse_cidr(other) if isinstance(other, str) else other).network.subnet_of(network.network))


def parse_url(text: str) -> Any:
    found = urlsplit(text_of(text))
    if not (found.scheme and (found.netloc or found.path)) and not text.startswith("/"):
        raise CelError(f"URL parse error during conversion from string: parse {text!r}: invalid URI for request")
    return found


def validate(found: Format, text: str) -> Optional:
    faults = found.faults(text_of(text))
    return some(faults) if faults else NONE


def _uri_faults(text: str) -> list[str]:
    return [] if succeeds(parse_url)(text) else ["invalid URI"]


def _date_faults(text: str) -> list[str]:
    try:
        datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return ["invalid date"]
    return []


def _formatted(fits: Function, fault: str) -> Function:
    return lambda text: [] if fits(text) else [fault]


def _prefix(check: Function) -> Function:
    return lambda text: check(text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text)


FORMATS: dict[str, Function] = {
    "dns1123Label": wrong_with_label,
    "dns1123Subdomain": wrong_with_subdomain,
    "dns1035Label": wrong_with_label_1035,
    "dns1123LabelPrefix": _prefix(wrong_with_label),
    "dns1123SubdomainPrefix": _prefix(wrong_with_subdomain),
    "dns1035LabelPrefix": _prefix(wrong_with_label_1035),
    "qualifiedName": wrong_with_qualified_name,
    "labelValue": wrong_with_label_value,
    "uri": _uri_faults,
    "uuid": _formatted(
        lambda text: regex(r"^(?i)[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$").search(text), "does not match UUID"
    ),
    "byte": _formatted(lambda text: regex(r"^[A-Za-z0-9+/]*={0,2}$").search(text) and len(text) % 4 == 0, "invalid base64"),
    "date": _date_faults,
    "datetime": _formatted(succeeds(parse_timestamp), "invalid datetime"),
}


def named_format(name: str) -> Optional:
    return some(Format(name, FORMATS[name])) if name in FORMATS else NONE
