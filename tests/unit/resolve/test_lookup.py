"""Lookups against a DNS server of our own on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import dns.rcode
import pytest

from remora.resolve.answers import Absent, Addresses, Silent
from remora.resolve.lookup import Lookup, ResolverSettings
from tests.support.dns import DnsServer, dns_server


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        yield server


def lookup_of(server: DnsServer, tmp_path: Path, *, resolv_conf: str = "", hosts: str = "") -> Lookup:
    (tmp_path / "resolv.conf").write_text(f"nameserver 192.0.2.1\n{resolv_conf}")
    (tmp_path / "hosts").write_text(hosts)
    return Lookup(
        ResolverSettings(
            servers=(("127.0.0.1", server.port),),
            resolv_conf=str(tmp_path / "resolv.conf"),
            hosts_file=str(tmp_path / "hosts"),
        )
    )


async def test_all_a_records_are_found_with_their_lifetime(server: DnsServer, tmp_path: Path) -> None:
    server.records = {("db.example.", "A"): ("10.0.0.1", "10.0.0.2"), ("db.example.", "AAAA"): ("fd00::1",)}
    server.lifetime = 17
    found = await lookup_of(server, tmp_path).find("db.example")
    assert isinstance(found, Addresses)
    assert (sorted(found.addresses), found.lifetime) == (["10.0.0.1", "10.0.0.2"], 17.0)


async def test_aaaa_records_are_for_names_without_a(server: DnsServer, tmp_path: Path) -> None:
    server.records = {("six.example.", "AAAA"): ("fd00::1",)}
    assert await lookup_of(server, tmp_path).find("six.example") == Addresses(("fd00::1",), 1.0)


async def test_search_domains_and_ndots_are_those_of_resolv_conf(server: DnsServer, tmp_path: Path) -> None:
    server.records = {("web.shop.svc.cluster.local.", "A"): ("10.0.0.1",), ("web.shop.", "A"): ("10.0.0.9",)}
    lookup = lookup_of(server, tmp_path, resolv_conf="search svc.cluster.local\noptions ndots:5\n")
    assert await lookup.find("web.shop") == Addresses(("10.0.0.1",), 1.0)
    assert await lookup.find("web.shop.") == Addresses(("10.0.0.9",), 1.0)
    few_dots = lookup_of(server, tmp_path, resolv_conf="search svc.cluster.local\noptions ndots:1\n")
    assert await few_dots.find("web.shop") == Addresses(("10.0.0.9",), 1.0)


async def test_a_name_that_is_not_there_is_absent_and_a_failing_server_is_silent(server: DnsServer, tmp_path: Path) -> None:
    lookup = lookup_of(server, tmp_path)
    assert await lookup.find("gone.example") == Absent("there is no such name")
    server.records = {("text.example.", "TXT"): ()}
    assert await lookup.find("text.example") == Absent("it has no address record")
    server.rcode = dns.rcode.REFUSED
    assert isinstance(await lookup.find("gone.example"), Silent)


async def test_without_any_server_dns_is_silent(tmp_path: Path) -> None:
    nothing = ResolverSettings(resolv_conf=str(tmp_path / "none"), hosts_file=str(tmp_path / "none"))
    assert isinstance(await Lookup(nothing).find("db.example"), Silent)


async def test_a_line_of_resolv_conf_that_names_no_server_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver resolver\n")
    broken = ResolverSettings(resolv_conf=str(tmp_path / "resolv.conf"), hosts_file=str(tmp_path / "none"))
    assert isinstance(await Lookup(broken).find("db.example"), Silent)


async def test_the_hosts_file_goes_before_dns(server: DnsServer, tmp_path: Path) -> None:
    server.records = {("db.example.", "A"): ("10.0.0.1",)}
    lookup = lookup_of(server, tmp_path, hosts="10.9.9.9 db.example\n")
    assert await lookup.find("db.example") == Addresses(("10.9.9.9",), 5.0)
    assert server.asked == []
