"""Parameters for Diffie-Hellman, of RFC 7919: its primes are made of the digits of e."""

import base64
from fractions import Fraction
from math import factorial


def _prime(bits: int, offset: int) -> int:
    terms = sum((Fraction(1, factorial(number)) for number in range(600)), start=Fraction())
    return (1 << bits) - (1 << (bits - 64)) + ((int(terms * (1 << (bits - 130))) + offset) << 64) - 1


PRIME_2048, PRIME_3072 = _prime(2048, 560316), _prime(3072, 2625351)


def pem_of(prime: int, generator: int = 2, *, exponent_bits: int = 0) -> bytes:
    """PKCS#3."""
    numbers = (prime, generator, *([exponent_bits] if exponent_bits else []))
    der = _element(0x30, b"".join(_element(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers))
    return b"-----BEGIN DH PARAMETERS-----\n" + base64.encodebytes(der) + b"-----END DH PARAMETERS-----\n"


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < 128 else bytes((0x82, *size.to_bytes(2, "big")))
    return bytes((tag,)) + length + content
