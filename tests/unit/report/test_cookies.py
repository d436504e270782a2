"""What a cookie says to whoever has it."""

import pytest

from remora.observe.live_sessions import session_digest
from remora.report.cookies import CookieFacts, read_cookie

ID, SERVER, KEY = "ab" * 16, "0123456789abcdef0123", "c" * 32
DIGEST = session_digest(ID)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (f"{SERVER}|{KEY}", CookieFacts("", SERVER)),
        (f"{ID}~{SERVER}|{KEY}", CookieFacts(DIGEST, SERVER)),
        (f"route={ID}~{SERVER}|{KEY}", CookieFacts(DIGEST, SERVER)),
        (f"{ID}.65000000.65000001.0123456789abcdef~{SERVER}|{KEY}", CookieFacts(DIGEST, SERVER)),
        (f"kept~{SERVER}|{KEY}|{ID}", CookieFacts(DIGEST, SERVER)),
        (f"kept~{SERVER}|{KEY}", CookieFacts("", SERVER)),
        (f"{'d' * 32}|{KEY}", CookieFacts(is_former=True)),
        ("1700000000.1.2.3|" + KEY, CookieFacts(is_former=True)),
        ("", CookieFacts()),
        ("garbage", CookieFacts()),
        (f"{ID}~short|{KEY}", CookieFacts(DIGEST, "")),
    ],
)
def test_a_cookie_is_taken_apart(text: str, facts: CookieFacts) -> None:
    assert read_cookie(text) == facts
