"""What the table's arithmetic is told, and that it is nginx's leaky bucket."""

import random

import pytest

from remora.haproxy.features.limits import exempt_keys, limits_entry
from remora.model import Limits

COUNTER = "0123456789abcdef"


def numbers(limits: Limits) -> list[int]:
    return [int(field) for field in limits_entry(limits).split("|")[2:]]


def test_an_entry_has_a_letter_for_each_limit() -> None:
    full = Limits(COUNTER, 10, 60, 5, 20, ("10.0.0.0/8",), 1024, 2048, is_shared=True)
    assert limits_entry(full).startswith(f"rmcbxs|{COUNTER}|")
    assert limits_entry(Limits(COUNTER, bandwidth=10)).startswith(f"b|{COUNTER}|")
    assert numbers(full)[4:] == [20, 1024, 2048, 50, 300]


def test_a_step_is_the_time_of_one_request_and_a_full_bucket_that_of_the_burst_and_one() -> None:
    second_step, second_most, minute_step, minute_most, *_ = numbers(Limits(COUNTER, per_second=10, per_minute=60, burst=5))
    assert (second_step, minute_step) == (100_000, 10_000)
    assert (second_most // second_step, minute_most // minute_step) == (51, 301)


@pytest.mark.parametrize("rate", [1, 7, 3000, 1_000_000])
@pytest.mark.parametrize("burst", [0, 5, 1000])
def test_clocks_of_32_bits_hold_every_bucket(rate: int, burst: int) -> None:
    for step, most in zip(*(numbers(Limits(COUNTER, rate, rate, burst))[start:4:2] for start in (0, 1)), strict=True):
        assert step >= 1
        assert 2 * most < 1 << 31


def test_the_keys_of_networks_without_limits_are_those_of_address_lists() -> None:
    assert list(exempt_keys("r", Limits(COUNTER, exempt=("10.0.0.0/8", "2001:db8::/32")))) == ["r/4" + "0A", "r/6" + "20010DB8"]


def test_the_arithmetic_lets_in_what_nginx_lets_in() -> None:
    """nginx: ngx_http_limit_req_lookup, with `nodelay`; times in microseconds instead of milliseconds."""
    source = random.Random(7)
    for _ in range(50):
        rate, burst = source.choice((1, 2, 5, 10, 50)), source.choice((0, 1, 5))
        step, most, *_ = numbers(Limits(COUNTER, per_second=rate, burst=burst))
        now, empty_at, excess, last = 1 << 32, 0, 0.0, None
        for _ in range(400):
            now += source.choice((2_000, step // 3, step, 2 * step, 8 * step))
            ahead = (empty_at - now) & 0xFFFFFFFF
            ahead = 0 if ahead > 2 * most else ahead
            is_let_in = ahead + step <= most
            found = 0.0 if last is None else max(0.0, excess - rate * (now - last) / 1e6 + 1)
            assert is_let_in == (found <= rate * burst) or abs(found - rate * burst) < 0.51  # half a step of slack
            if is_let_in:
                empty_at = (now + ahead + step) & 0xFFFFFFFF
                excess, last = found, now
