"""Growth and percentiles of counts that add up over time."""

import pytest

from remora.observe.growth import grown, grown_counts, percentile

BUCKETS = (0.01, 0.1, 1.0)


def test_a_count_that_has_fallen_began_anew() -> None:
    assert (grown(5, 3), grown(2, 3)) == (2, 2)
    assert grown_counts((1, 2), (5, 5)) == (1, 2)
    assert grown_counts((5, 7), (1, 5)) == (4, 2)
    assert grown_counts((1, 2), ()) == (1, 2)


@pytest.mark.parametrize(
    ("share", "counts", "expected"),
    [(0.5, (4, 0, 0), 0.05), (0.99, (0, 0, 5), 1.0), (0.5, (0, 0, 0), None), (1.0, (1, 1, 0), 1.0)],
)
def test_quantiles_are_reckoned_as_prometheus_does(share: float, counts: tuple[int, ...], expected: float | None) -> None:
    assert percentile(counts, (0.1, 1.0), share) == expected


@pytest.mark.parametrize(
    ("counts", "share", "wanted"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((10, 0, 0, 0), 0.5, 0.005),
        ((5, 5, 0, 0), 0.5, 0.01),
        ((5, 5, 0, 0), 0.75, 0.055),
        ((0, 0, 0, 3), 0.5, 1.0),
    ],
)
def test_percentiles_are_interpolated_within_their_bucket(counts: tuple[int, ...], share: float, wanted: float | None) -> None:
    assert percentile(counts, BUCKETS, share) == (None if wanted is None else pytest.approx(wanted))
