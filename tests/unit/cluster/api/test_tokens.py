"""Tokens of service accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.tokens import TokenError, Tokens

KEY = b"k" * 32


def tokens(now: float = 1000.0, key: bytes = KEY) -> Tokens:
    return Tokens(key, now=lambda: now)


def test_token_says_whose_it_is() -> None:
    identity = tokens().verify(tokens().issue("ns", "robot", "pod-1"))
    assert identity.username == "system:serviceaccount:ns:robot"
    assert "system:serviceaccounts:ns" in identity.groups
    assert identity.extra == {"authentication.kubernetes.io/pod-name": ("pod-1",)}


def test_token_ends_with_its_lifetime() -> None:
    token = tokens().issue("ns", "robot", lifetime=60)
    assert tokens(now=1059.0).verify(token)
    with pytest.raises(TokenError, match="expired"):
        tokens(now=1060.0).verify(token)


def test_token_of_another_key_is_not_ours() -> None:
    with pytest.raises(TokenError):
        tokens().verify(tokens(key=b"o" * 32).issue("ns", "robot"))


@given(st.text())
def test_any_other_text_is_no_token(text: str) -> None:
    with pytest.raises(TokenError):
        tokens().verify(text)
