"""The loopback addresses of a profile."""

from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.addresses import HIGHEST_INDEX, Network, is_assignable, next_address

INDEXES = st.integers(0, HIGHEST_INDEX)


@given(INDEXES)
def test_ranges_are_apart_and_on_loopback(index: int) -> None:
    network = Network(index)
    ranges = (network.pods, network.services, network.load_balancers)
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)
    assert all(found.is_loopback for found in ranges)
    assert not any(is_assignable(found, network.node) for found in ranges)


@given(INDEXES, INDEXES)
def test_profiles_share_no_address(one: int, other: int) -> None:
    assert one == other or not Network(one).pods.supernet(new_prefix=16).overlaps(Network(other).pods.supernet(new_prefix=16))


def test_first_profile_has_the_addresses_that_the_documentation_shows() -> None:
    network = Network(0)
    assert network.pods == IPv4Network("127.64.0.0/17")
    assert network.kubernetes_service == "127.64.128.1"
    assert network.node == "127.64.255.254"


@pytest.mark.parametrize("index", [-1, 151])
def test_number_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 150"):
        Network(index)


@pytest.mark.parametrize("address", ["127.64.0.0", "127.64.3.255", "127.64.3.254", "127.65.0.1", "nonsense", "::1", ""])
def test_address_that_nothing_may_have(address: str) -> None:
    assert not is_assignable(Network(0).pods, address)


@given(st.sets(st.integers(1, 12)), st.integers(0, 13))
def test_next_address_is_free_and_goes_on_behind_the_last(taken: set[int], after: int) -> None:
    network = IPv4Network("127.64.0.0/28")
    last = f"127.64.0.{after}"
    found = next_address(network, after=last, taken={f"127.64.0.{n}" for n in taken})
    free = [n for n in range(1, 16) if n not in taken]
    assert found is not None
    number = int(ip_address(found)) - int(IPv4Address("127.64.0.0"))
    assert number in free
    if is_assignable(network, last) and any(n > after for n in free):
        assert number == min(n for n in free if n > after)


def test_full_network_gives_nothing() -> None:
    network = IPv4Network("127.64.0.0/30")
    assert next_address(network, after="", taken={"127.64.0.1", "127.64.0.2", "127.64.0.3"}) is None
