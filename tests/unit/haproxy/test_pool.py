"""The pool grows with the logarithm of what is used."""

import pytest

from remora.haproxy.pool import CLASSES, SMALLEST_POOL, is_low, pool_size


@pytest.mark.parametrize(("used", "size"), [(0, SMALLEST_POOL), (10, 16), (11, 32), (100, 256), (10_000, 16_384)])
def test_a_third_of_a_new_pool_is_free(used: int, size: int) -> None:
    assert pool_size(used) == size


def test_a_new_pool_is_not_low() -> None:
    assert not any(is_low(used, pool_size(used)) for used in range(2_000))


def test_classes_have_names_of_their_own() -> None:
    assert len({kind.slot(1) for kind in CLASSES}) == len(CLASSES)
