"""The formats of strings that Kubernetes checks (`kube-openapi` `strfmt`, as far as `apiextensions` supports them). Pure."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from remora.cluster.cel.values import CelError, parse_duration

_UUID = "[0-9a-fA-F]{8}-?%s[0-9a-fA-F]{3}-?%s[0-9a-fA-F]{3}-?[0-9a-fA-F]{12}"
_HOSTNAME = r"([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})?)*\.?"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_PATTERNS = {
    "bsonobjectid": "[0-9a-fA-F]{24}",
    "uuid": _UUID % ("[0-9a-fA-F]{4}-?[0-9a-fA-F]", "[0-9a-fA-F]"),
    "uuid3": _UUID % ("[0-9a-fA-F]{4}-?3", "[0-9a-fA-F]"),
    "uuid4": _UUID % ("[0-9a-fA-F]{4}-?4", "[89abAB]"),
    "uuid5": _UUID % ("[0-9a-fA-F]{4}-?5", "[89abAB]"),
    "hostname": _HOSTNAME,
    "mac": "([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}[.]){2}[0-9a-fA-F]{4}",
    "hexcolor": "#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})",
    "rgbcolor": r"rgb\(\s*(\d{1,3}\s*,\s*){2}\d{1,3}\s*\)",
    "isbn10": "[0-9]{9}[0-9X]",
    "isbn13": "[0-9]{13}",
    "isbn": "[0-9]{9}[0-9X]|[0-9]{13}",
    "ssn": r"\d{3}[- ]?\d{2}[- ]?\d{4}",
    "creditcard": "[0-9]{13,19}",
}


def has_format(text: str, name: str) -> bool:
    """Whether a text has a format; an unknown one is had by every text, as Kubernetes sees it."""
    pattern = _PATTERNS.get(name)
    if pattern is not None:
        return re.fullmatch(pattern, text) is not None
    check = _CHECKS.get(name)
    try:
        return check is None or check(text)
    except (ValueError, binascii.Error, CelError):
        return False


def _is_time(text: str) -> bool:
    return _RFC_3339.fullmatch(text) is not None and bool(datetime.fromisoformat(text.upper()))


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and bool(datetime.fromisoformat(text))


def _is_uri(text: str) -> bool:
    found = urlsplit(text)
    return text.startswith("/") or bool(found.scheme and (found.netloc or found.path))


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "date-time": _is_time,
    "datetime": _is_time,
    "date": _is_date,
    "duration": lambda text: parse_duration(text) is not None,
    "byte": lambda text: base64.b64decode(text, validate=True) is not None,
    "ipv4": lambda text: bool(ipaddress.IPv4Address(text)) or True,
    "ipv6": lambda text: bool(ipaddress.IPv6Address(text)) or True,
    "cidr": lambda text: "/" in text and bool(ipaddress.ip_interface(text)),
    "uri": _is_uri,
    "email": lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None,
}
