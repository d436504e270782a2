"""The Secret that `ssl-dh-param` names, as parameters for Diffie-Hellman.

The library that reads certificates has given these parameters up, and they are two numbers; so they are read here.
"""

import base64
import re

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.kube.objects import Secret
from remora.translate.view import View

_KEY = "dhparam.pem"
_BLOCK = re.compile(rb"-----BEGIN DH PARAMETERS-----([A-Za-z0-9+/=\s]+)-----END DH PARAMETERS-----")
_FEWEST_BITS = 2048
"""With fewer, OpenSSL may refuse them, and with them the whole configuration."""
_MOST_BITS = 4096
"""With more, a handshake costs more than others should pay for."""
_SEQUENCE, _INTEGER = 0x30, 0x02


def find_dh_param(view: View, reference: str, *, owner: ObjectRef) -> tuple[str, tuple[Problem, ...]]:
    """The parameters in PEM, "" if there are none, and what is wrong. `owner` is the controller's ConfigMap."""
    if not reference:
        return "", ()
    secret = view.find(Secret, NamespacedName.parse(reference))
    text = (secret.data or {}).get(_KEY, b"") if secret else b""
    if secret is None:
        fault = f"there is no Secret {reference}"
    elif not text:
        fault = f"Secret {reference} has no {_KEY}"
    else:
        parameters, fault = parse_dh_param(text)
        if not fault:
            return parameters, ()
        fault = f"{_KEY} of Secret {reference} {fault}"
    consequence = "the parameters that are built in are used"
    return "", (Problem(owner, "data[ssl-dh-param]", "SettingRefused", fault, consequence),)


def parse_dh_param(text: bytes) -> tuple[str, str]:
    """The parameters, written anew, and why they cannot be used; one of the two is ""."""
    blocks = _BLOCK.findall(text)
    if len(blocks) != 1:
        return "", "is not one block of DH PARAMETERS in PEM"
    try:
        prime, generator = _numbers(base64.b64decode(b"".join(blocks[0].split()), validate=True))
    except ValueError:
        return "", "cannot be read"
    if not _FEWEST_BITS <= prime.bit_length() <= _MOST_BITS:
        return "", f"has {prime.bit_length()} bits, not {_FEWEST_BITS} to {_MOST_BITS}"
    if not (prime % 2 and 1 < generator < prime - 1 and pow(2, prime - 1, prime) == 1):
        return "", "has no prime with its generator"
    return _pem(prime, generator), ""


def _numbers(der: bytes) -> tuple[int, int]:
    """Prime and generator of PKCS#3; the length of exponents may follow."""
    content, rest = _element(der, _SEQUENCE)
    prime, others = _element(content, _INTEGER)
    generator, _ = _element(others, _INTEGER)
    if rest:
        raise ValueError("there is more")
    return int.from_bytes(prime, "big", signed=True), int.from_bytes(generator, "big", signed=True)


def _element(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the element of DER that the bytes begin with, and what follows it."""
    if len(der) < 2 or der[0] != tag:
        raise ValueError("another element was expected")
    start, length = 2, der[1]
    if length > 0x80:
        start = 2 + length - 0x80
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError("the element is cut off")
    return der[start : start + length], der[start + length :]


def _pem(prime: int, generator: int) -> str:
    der = _written(_SEQUENCE, b"".join(_written(_INTEGER, _signed(number)) for number in (prime, generator)))
    body = base64.b64encode(der).decode()
    lines = (body[start : start + 64] for start in range(0, len(body), 64))
    return "\n".join(("-----BEGIN DH PARAMETERS-----", *lines, "-----END DH PARAMETERS-----", ""))


def _signed(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _written(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 + len(length))) + length + content
