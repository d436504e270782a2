"""The cluster's DNS, asked by a real resolver over UDP and TCP, and by libc inside pods."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.message
import dns.rcode
import dns.resolver
import pytest

from remora.cluster.dns.answer import Zone
from remora.cluster.dns.forward import Forwarder, name_servers
from remora.cluster.dns.server import DnsServer, Place
from remora.cluster.kubelet.resolving import PodDns, can_mount, dns_environment, entering
from remora.cluster.objects import is_ready
from remora.cluster.ports import free_port
from tests.cluster.small_cluster import NETWORK, SmallCluster, pod, small_cluster, until

ADDRESS = "127.0.0.1"


@asynccontextmanager
async def serving(cluster: SmallCluster, forwarder: Forwarder | None = None) -> AsyncIterator[Place]:
    place = Place(ADDRESS, free_port(ADDRESS))
    server = DnsServer(
        registry=cluster.registry,
        zone=Zone(address=NETWORK.dns_service),
        places=(Place("192.0.2.1", 53), place),
        forwarder=forwarder,
    )
    task = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(server.listening.wait(), 30)
        assert server.serving == (place,), "a place that cannot be had costs only itself"
        yield place
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def resolver(place: Place, directory: Path) -> dns.asyncresolver.Resolver:
    """As a program in a pod of namespace `default` has it by its resolv.conf."""
    spec = {"metadata": {"name": "client", "namespace": "default"}, "spec": {}}
    env = dns_environment(PodDns(place=str(place), server=place.address), spec, directory)
    found = dns.asyncresolver.Resolver(filename=env["REMORA_RESOLV_CONF"])
    found.port, found.lifetime = place.port, 20.0
    return found


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def answers(asked: dns.asyncresolver.Resolver, name: str, type_: str = "A", *, tcp: bool = False) -> list[str]:
    return sorted(record.to_text() for record in await asked.resolve(name, type_, search=True, tcp=tcp))


async def settled(asked: dns.asyncresolver.Resolver, name: str) -> list[str]:
    """The addresses as soon as there are any: the DNS hears of changes a moment later."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await answers(asked, name)
            # Refused is what the name is without the search domains: nobody is asked about those here.
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
                await asyncio.sleep(0.05)


async def test_services_and_pods_are_found_by_their_names(tmp_path: Path) -> None:
    port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
    async with small_cluster(tmp_path) as cluster, serving(cluster) as place:
        asked = resolver(place, tmp_path)
        created = await cluster.registry.create("services", service("web", ports=[port]))
        await cluster.registry.create(
            "services", service("peers", clusterIP="None", ports=[port], selector={"app": "db"}, publishNotReadyAddresses=False)
        )
        await cluster.registry.create(
            "services", service("alias", type="ExternalName", externalName="web.default.svc.cluster.local")
        )
        own = created["spec"]["clusterIP"]
        assert await settled(asked, "web") == [own]
        for name in ("web.default", "web.default.svc", "web.default.svc.cluster.local.", "WEB"):
            assert await answers(asked, name) == [own]
        assert await answers(asked, "alias", tcp=True) == [own]
        assert await answers(asked, "_http._tcp.web", "SRV") == ["0 100 80 web.default.svc.cluster.local."]
        with pytest.raises(dns.resolver.NoAnswer):
            await answers(asked, "web", "AAAA")
        with pytest.raises(dns.resolver.NXDOMAIN):
            await answers(asked, "nobody.default.svc.cluster.local.")
        await cluster.registry.create(
            "pods", pod("db-0", labels={"app": "db"}, spec={"hostname": "db-0", "subdomain": "peers"})
        )
        await until(lambda: is_ready(cluster.pod("db-0")))
        address = cluster.pod("db-0")["status"]["podIP"]
        assert await settled(asked, "db-0.peers") == [address]
        assert await answers(asked, "peers") == [address]
        reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa."
        assert await answers(asked, reverse, "PTR") == ["db-0.peers.default.svc.cluster.local."]


async def test_other_names_are_asked_elsewhere_or_refused(tmp_path: Path) -> None:
    port = free_port(ADDRESS)

    class Upstream(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            query = dns.message.from_wire(data)
            response = dns.message.make_response(query)
            if query.question[0].name.to_text() == "example.com.":
                response.answer.append(dns.rrset.from_text("example.com.", 60, "IN", "A", "192.0.2.7"))
            else:
                response.set_rcode(dns.rcode.NXDOMAIN)
            self.transport.sendto(response.to_wire(), addr)

    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"nameserver 127.9.9.9\nnameserver {ADDRESS}\nnameserver nonsense\n")
    assert name_servers(resolv_conf.read_text()) == ["127.9.9.9", ADDRESS]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Upstream, local_addr=(ADDRESS, port))
    try:
        async with small_cluster(tmp_path) as cluster:
            await cluster.registry.create("services", service("out", type="ExternalName", externalName="example.com"))
            async with serving(cluster, Forwarder(resolv_conf=resolv_conf, own={"127.9.9.9"}, port=port)) as place:
                asked = resolver(place, tmp_path)
                assert await answers(asked, "example.com.") == ["192.0.2.7"]
                assert await settled(asked, "out") == ["192.0.2.7"]
                with pytest.raises(dns.resolver.NXDOMAIN):
                    await answers(asked, "example.org.")
            async with serving(cluster) as place:
                query = dns.message.make_query("example.com.", "A")
                response = await dns.asyncquery.udp(query, place.address, port=place.port, timeout=20)
                assert response.rcode() == dns.rcode.REFUSED
    finally:
        transport.close()


async def test_libc_in_a_pod_has_the_pods_resolv_conf(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("this user may not have mount namespaces")
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n# the pod's\n")
    command = entering(str(file), [sys.executable, "-c", "print(open('/etc/resolv.conf').read())"])
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().strip() == file.read_text().strip()
    assert Path("/etc/resolv.conf").read_text() != file.read_text()
