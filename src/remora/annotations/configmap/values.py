"""Texts of the ConfigMap to typed values: numbers as Go reads them, times and sizes as nginx does, addresses, names.

What comes out is put together from what was understood; no text passes as it is, save for words of a fixed alphabet.
"""

import base64
import ipaddress
import re
from collections.abc import Callable

from remora.annotations.values import ValueRefused, comma_list, shown, trimmed

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,15}|0[0-7]{0,20}|[1-9][0-9]{0,17}")
_TIME = re.compile(r"(\d{1,10})(ms|s|m|h|d|w|M|y)?")
_MILLISECONDS = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "M": 2_592_000_000,
    "y": 31_536_000_000,
}
LONGEST_TIME = 24 * 86400
"""Seconds. HAProxy counts milliseconds in 31 bits."""

_MOST_ADDRESSES = 100


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within bounds: decimal, or hexadecimal and octal with a prefix."""

    def parse(text: str) -> int:
        word = trimmed(text)
        if not _NUMBER.fullmatch(word):
            raise ValueRefused(f"{shown(word)} is not a whole number")
        base = 16 if word[:2] in ("0x", "0X") else 8 if word[0] == "0" else 10
        if not low <= int(word, base) <= high:
            raise ValueRefused(f"{int(word, base)} is not within {low} to {high}")
        return int(word, base)

    return parse


def seconds(low: int = 1) -> Callable[[str], int]:
    """A number of seconds without a unit."""
    return whole(low, LONGEST_TIME)


def nginx_time(text: str) -> int:
    """Seconds, rounded up, of a time as nginx writes it: `240s`, `1h 30m`, `90`."""
    words = trimmed(text).split()
    joined = "".join(words)
    parts = [(int(number), unit or "s") for number, unit in _TIME.findall(joined)]
    if _TIME.sub("", joined) or not parts:
        raise ValueRefused(f"{shown(text)} is not a time such as 240s or 10m")
    found = -(-sum(number * _MILLISECONDS[unit] for number, unit in parts) // 1000)
    if found > LONGEST_TIME:
        raise ValueRefused(f"{shown(text)} is more than {LONGEST_TIME} seconds")
    return found


def size(text: str) -> int:
    """Bytes of a size as nginx writes it: `8k`, `10m`, `1g`, `4096`."""
    found = re.fullmatch(r"(\d{1,10})([kKmMgG]?)", trimmed(text))
    if not found:
        raise ValueRefused(f"{shown(text)} is not a size such as 8k or 10m")
    return int(found[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[found[2].lower()]


def header_name(text: str) -> str:
    """The name of a header: letters, digits and `-`."""
    name = trimmed(text)
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]{0,99}", name):
        raise ValueRefused(f"{shown(name)} is not the name of a header")
    return name


def header_name_list(text: str) -> tuple[str, ...]:
    """Names of headers between commas, each once."""
    return tuple({name.lower(): name for name in map(header_name, comma_list(text))}.values())


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks between commas, as HAProxy reads them; bits below the mask are cleared."""
    found = []
    for item in comma_list(text):
        try:
            found.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError:
            raise ValueRefused(f"{shown(item)} is neither an address nor a network") from None
    if len(found) > _MOST_ADDRESSES:
        raise ValueRefused(f"there are more than {_MOST_ADDRESSES} networks")
    return tuple(dict.fromkeys(found))


def addresses(text: str) -> tuple[str, ...]:
    """IP addresses between commas; what is none is left out, as ingress-nginx does, but one must be left."""
    found = []
    for item in comma_list(text):
        try:
            address = ipaddress.ip_address(item.removeprefix("[").removesuffix("]"))
        except ValueError:
            continue
        if "%" not in str(address):
            found.append(str(address))
    if not found:
        raise ValueRefused(f"{shown(text)} has no IP address")
    return tuple(dict.fromkeys(found))


def words_of(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Words between blanks, each one of the known."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(trimmed(text).split()))
        for word in found:
            if word not in known:
                raise ValueRefused(f"{shown(word)} is not one of {', '.join(known)}")
        return found

    return parse


def alphabet(pattern: str, what: str) -> Callable[[str], str]:
    """A text all of which the pattern matches."""

    def parse(text: str) -> str:
        value = trimmed(text)
        if not re.fullmatch(pattern, value):
            raise ValueRefused(f"{shown(value)} is not {what}")
        return value

    return parse


def ticket_key(text: str) -> str:
    """A key of session tickets in base64, of either length that nginx and HAProxy know. A message must not hold it."""
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        key = b""
    if len(key) not in (48, 80):
        raise ValueRefused("the value, which is not shown, is not 48 or 80 bytes in base64")
    return base64.b64encode(key).decode()


def matches(text: str) -> tuple[str, ...]:
    """Texts between commas, or regular expressions behind `~` or `~*`, printable and none too long."""
    found = comma_list(text)
    for item in found:
        if not re.fullmatch("[ -~]{1,256}", item) or item in ("~", "~*"):
            raise ValueRefused(f"{shown(item)} is not a printable text of at most 256 characters")
    if len(found) > _MOST_ADDRESSES:
        raise ValueRefused(f"there are more than {_MOST_ADDRESSES}")
    return tuple(dict.fromkeys(found))


def agents(text: str) -> str:
    """A regular expression over User-Agents, printable and none too long; nginx's word for old ones is written out."""
    value = trimmed(text)
    if not re.fullmatch("[ -~]{1,256}", value):
        raise ValueRefused(f"{shown(value)} is not a printable text of at most 256 characters")
    return r"MSIE [4-6]\." if value == "msie6" else value
