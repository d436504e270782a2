"""From a Secret to names and what their passwords must fit (behaviour reference, part B, section 1).

Every hash that htpasswd makes is brought into one of three forms: `sha1:DIGEST:SALT` in hex, `$apr1$…` and `$1$…`, or what
only crypt(3) knows. `{PLAIN}` becomes the first with a salt of ours, so that no password stands in HAProxy's memory. What is
no hash, or would cost seconds to try, lets nobody in.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

MOST_USERS = 5000
"""Of one Secret. Each is an entry of a map for every route."""

_LONGEST_NAME = 255
_CRYPT = re.compile(
    r"\$2[abxy]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}"
    r"|\$5\$(rounds=[0-9]{1,6}\$)?[./A-Za-z0-9=,_-]{0,16}\$[./A-Za-z0-9]{43}"
    r"|\$6\$(rounds=[0-9]{1,6}\$)?[./A-Za-z0-9=,_-]{0,16}\$[./A-Za-z0-9]{86}"
    r"|\$y\$j[5-9A-C]T\$[./A-Za-z0-9]{0,86}\$[./A-Za-z0-9]{43}"
    r"|[./A-Za-z0-9]{13}"
)
_MD5_CRYPT = re.compile(r"\$(apr1|1)\$[./A-Za-z0-9=,_-]{0,8}\$[./A-Za-z0-9]{22}")
_HA1 = re.compile("[0-9a-fA-F]{32}")


class Line(msgspec.Struct, frozen=True, gc=False):
    """A name and what stands behind it; `where` says which line or key it is."""

    where: str
    user: str
    rest: str

    def __repr__(self) -> str:
        return f"Line({self.where})"


def file_lines(content: bytes) -> Iterator[Line]:
    """The lines of a file of htpasswd: those with a colon that are no comment."""
    for number, line in enumerate(re.split(r"[\r\n]", content.decode("utf-8", "surrogateescape")), start=1):
        user, colon, rest = line.partition(":")
        if colon and not user.startswith("#"):
            yield Line(f"line {number}", user, rest)


def map_lines(data: Mapping[str, bytes]) -> Iterator[Line]:
    """What a Secret says that has a key for every name."""
    for user, value in sorted(data.items()):
        rest = re.split(r"[\r\n]", value.decode("utf-8", "surrogateescape"))[0]
        yield Line(f"key {user}", user, rest)


def find_basic_users(lines: Iterable[Line], *, salt: bytes) -> tuple[dict[str, str], list[str]]:
    """Names and hashes, and where there is something else. Of several lines for a name the first counts."""
    users: dict[str, str] = {}
    unusable = []
    for line in lines:
        if line.user in users:
            continue
        found = _basic_hash(line.rest.partition(":")[0], salt=salt + line.user.encode("utf-8", "surrogateescape"))
        if not found or not _is_name(line.user):
            unusable.append(line.where)
        # A name whose first line is unusable must not be let in by a later one.
        users[line.user] = found
    return {user: found for user, found in users.items() if found and _is_name(user)}, unusable


def find_digest_users(lines: Iterable[Line], *, realm: str) -> tuple[dict[str, str], list[str]]:
    """The same for lines `user:realm:MD5(user:realm:password)`; those of other realms mean nothing."""
    users: dict[str, str] = {}
    unusable = []
    for line in lines:
        written, _, rest = line.rest.partition(":")
        digest = rest.partition(":")[0]
        if written != realm or line.user in users:
            continue
        is_usable = _HA1.fullmatch(digest) and _is_name(line.user)
        if not is_usable:
            unusable.append(line.where)
        users[line.user] = digest.lower() if is_usable else ""
    return {user: found for user, found in users.items() if found}, unusable


def _is_name(user: str) -> bool:
    return 0 < len(user.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME


def _basic_hash(text: str, *, salt: bytes) -> str:
    """The hash in one of the forms above; "" for what is none."""
    if text.startswith("{PLAIN}"):
        password = text.removeprefix("{PLAIN}").encode("utf-8", "surrogateescape")
        own = hmac.digest(salt, b"plain password", "sha256")[:8]
        return _sha1(hashlib.sha1(password + own).digest(), own)  # noqa: S324 - as htpasswd does
    if text.startswith("{SHA}"):
        raw = _decoded(text.removeprefix("{SHA}"))
        return _sha1(raw, b"") if len(raw) == 20 else ""
    if text.startswith("{SSHA}"):
        raw = _decoded(text.removeprefix("{SSHA}"))
        return _sha1(raw[:20], raw[20:]) if 20 < len(raw) <= 84 else ""
    return text if text.isascii() and (_MD5_CRYPT.fullmatch(text) or _CRYPT.fullmatch(text)) else ""


def _sha1(digest: bytes, salt: bytes) -> str:
    return f"sha1:{digest.hex()}:{salt.hex()}"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
