"""Networks as keys of a map in which the longest match decides."""

import ipaddress
import random

import pytest

from remora.haproxy.features.access import address_keys


def looked_up(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    return f"r/{parsed.version}{int(parsed):0{parsed.max_prefixlen // 4}X}"


@pytest.mark.parametrize(
    ("network", "keys"),
    [
        ("0.0.0.0/0", ["r/4"]),
        ("::/0", ["r/6"]),
        ("10.0.0.0/8", ["r/40A"]),
        ("10.0.0.0/7", ["r/40A", "r/40B"]),
        ("10.1.2.3/32", ["r/40A010203"]),
        ("192.168.0.0/14", ["r/4C0A8", "r/4C0A9", "r/4C0AA", "r/4C0AB"]),
        ("2001:db8::/32", ["r/620010DB8"]),
    ],
)
def test_a_network_is_its_prefixes_of_whole_digits(network: str, keys: list[str]) -> None:
    assert list(address_keys("r", [network])) == keys


def test_a_key_begins_an_address_if_and_only_if_a_network_has_it() -> None:
    chance = random.Random(4)
    for _ in range(200):
        bits = chance.choice((32, 128))
        kind = ipaddress.IPv4Network if bits == 32 else ipaddress.IPv6Network
        networks = [kind((chance.getrandbits(bits), chance.randint(0, bits)), strict=False) for _ in range(3)]
        keys = tuple(address_keys("r", map(str, networks)))
        inside = networks[0][chance.randrange(networks[0].num_addresses)]
        for address in (inside, type(inside)(chance.getrandbits(bits))):
            assert looked_up(str(address)).startswith(keys) == any(address in network for network in networks)


def test_networks_that_others_hold_take_no_keys() -> None:
    assert list(address_keys("r", ["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"])) == ["r/40A"]
