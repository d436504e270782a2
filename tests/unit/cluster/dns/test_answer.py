"""Answers of the cluster's DNS, without a network."""

from typing import Any

import dns.message
import pytest

from remora.cluster.dns.answer import Absent, Answer, Elsewhere, Found, Zone, decide
from remora.cluster.dns.directory import Directory
from remora.cluster.dns.message import Question, Unreadable, parse_question, reply, to_udp
from remora.cluster.dns.resolv import resolv_conf

ZONE = Zone(address="127.64.128.10")


def service(name: str, **spec: Any) -> dict[str, Any]:
    if "clusterIP" in spec:
        spec["clusterIPs"] = [spec["clusterIP"]]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def endpoint_slice(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"{name}-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": name}}
    return {"metadata": metadata, "endpoints": list(endpoints), "ports": [{"name": "http", "protocol": "TCP", "port": 8080}]}


def directory() -> Directory:
    known = Directory()
    known.set_namespace({"metadata": {"name": "shop"}}, is_there=True)
    port = {"name": "http", "protocol": "TCP", "port": 80}
    for obj in (
        service("web", clusterIP="127.64.128.20", ports=[port]),
        service("db", clusterIP="None"),
        service("empty", clusterIP="None"),
        service("inside", type="ExternalName", externalName="web.shop.svc.cluster.local"),
        service("chain", type="ExternalName", externalName="inside.shop.svc.cluster.local"),
        service("outside", type="ExternalName", externalName="Example.com"),
        service("circle", type="ExternalName", externalName="circle.shop.svc.cluster.local"),
    ):
        known.set_service(obj, is_there=True)
    ready = {"addresses": ["127.64.0.5"], "hostname": "db-0", "conditions": {"ready": True}}
    unready = {"addresses": ["127.64.0.6"], "hostname": "db-1", "conditions": {"ready": False}}
    nameless = {"addresses": ["127.64.0.7"], "conditions": {}}
    known.set_slice(endpoint_slice("db", ready, unready, nameless), is_there=True)
    known.set_slice(endpoint_slice("web", {"addresses": ["127.64.0.8"]}), is_there=True)
    return known


def ask(name: str, type_: str = "A", known: Directory | None = None) -> Answer:
    return decide(known or directory(), ZONE, name, type_)


def data(answer: Answer) -> list[str]:
    assert isinstance(answer, Found)
    return [record.data for record in answer.records]


@pytest.mark.parametrize(
    ("name", "type_", "wanted"),
    [
        ("web.shop.svc.cluster.local.", "A", ["127.64.128.20"]),
        ("WEB.Shop.svc.cluster.LOCAL", "A", ["127.64.128.20"]),
        ("web.shop.svc.cluster.local", "AAAA", []),
        ("web.shop.svc.cluster.local", "SRV", ["0 100 80 web.shop.svc.cluster.local."]),
        ("_http._tcp.web.shop.svc.cluster.local", "SRV", ["0 100 80 web.shop.svc.cluster.local."]),
        ("127-64-0-8.web.shop.svc.cluster.local", "A", ["127.64.0.8"]),
        ("db.shop.svc.cluster.local", "A", ["127.64.0.5", "127.64.0.7"]),
        ("db-0.db.shop.svc.cluster.local", "A", ["127.64.0.5"]),
        ("127-64-0-7.db.shop.svc.cluster.local", "A", ["127.64.0.7"]),
        (
            "_http._tcp.db.shop.svc.cluster.local",
            "SRV",
            ["0 50 8080 db-0.db.shop.svc.cluster.local.", "0 50 8080 127-64-0-7.db.shop.svc.cluster.local."],
        ),
        ("1-2-3-4.shop.pod.cluster.local", "A", ["1.2.3.4"]),
        (
            "chain.shop.svc.cluster.local",
            "A",
            ["inside.shop.svc.cluster.local.", "web.shop.svc.cluster.local.", "127.64.128.20"],
        ),
        ("outside.shop.svc.cluster.local", "A", ["example.com."]),
        ("outside.shop.svc.cluster.local", "CNAME", ["example.com."]),
        ("shop.svc.cluster.local", "A", []),
        ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
        ("cluster.local", "NS", ["ns.dns.cluster.local."]),
        ("ns.dns.cluster.local", "A", ["127.64.128.10"]),
        ("20.128.64.127.in-addr.arpa", "PTR", ["web.shop.svc.cluster.local."]),
        ("5.0.64.127.in-addr.arpa.", "PTR", ["db-0.db.shop.svc.cluster.local."]),
    ],
)
def test_a_name_has_the_records_of_the_specification(name: str, type_: str, wanted: list[str]) -> None:
    assert data(ask(name, type_)) == wanted


@pytest.mark.parametrize(
    "name",
    [
        "no.shop.svc.cluster.local",
        "web.no.svc.cluster.local",
        "no.svc.cluster.local",
        "empty.shop.svc.cluster.local",
        "db-1.db.shop.svc.cluster.local",
        "x.web.shop.svc.cluster.local",
        "_no._tcp.web.shop.svc.cluster.local",
        "1-2-3.shop.pod.cluster.local",
        "1-2-3-4.no.pod.cluster.local",
        "web.cluster.local",
        "a.b.c.d.svc.cluster.local",
        "x.outside.shop.svc.cluster.local",
    ],
)
def test_what_does_not_exist_is_absent(name: str) -> None:
    assert ask(name) == Absent()


@pytest.mark.parametrize("name", ["example.com", "web", "xcluster.local", "9.9.9.9.in-addr.arpa", "."])
def test_other_names_are_elsewhere(name: str) -> None:
    assert ask(name) == Elsewhere()


def test_an_external_name_that_leads_to_itself_ends() -> None:
    assert len(data(ask("circle.shop.svc.cluster.local"))) == 8


def test_what_leaves_is_forgotten() -> None:
    known = directory()
    known.set_service(service("web"), is_there=False)
    known.set_slice(endpoint_slice("db"), is_there=True)
    assert ask("web.shop.svc.cluster.local", known=known) == Absent()
    assert ask("20.128.64.127.in-addr.arpa", "PTR", known) == Elsewhere()
    assert ask("db.shop.svc.cluster.local", known=known) == Absent()
    known.clear_slices()
    assert not list(known.services_at("127.64.0.8"))


def question(name: str, type_: str = "A", **options: Any) -> Question:
    found = parse_question(dns.message.make_query(name, type_, **options).to_wire())
    assert isinstance(found, Question)
    return found


def test_a_no_carries_the_authority() -> None:
    asked = question("no.shop.svc.cluster.local.")
    response = reply(asked, ask(asked.name), ZONE, forwards=True)
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert response.authority[0].to_text().startswith("cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local.")


def test_an_answer_that_is_too_long_for_udp_says_so() -> None:
    known = directory()
    many = [{"addresses": [f"127.64.{index // 200}.{index % 200 + 1}"]} for index in range(150)]
    known.set_slice(endpoint_slice("db", *many), is_there=True)
    asked = question("db.shop.svc.cluster.local.")
    response = reply(asked, ask(asked.name, known=known), ZONE, forwards=True)
    short = dns.message.from_wire(to_udp(asked, response))
    assert (len(short.answer), bool(short.flags & dns.flags.TC)) == (0, True)
    assert len(response.answer[0]) == 150


@pytest.mark.parametrize("length", range(40))
def test_any_bytes_get_an_error_or_nothing(length: int) -> None:
    found = parse_question(bytes(range(1, length + 1)))
    assert isinstance(found, Unreadable)
    assert not found.reply or found.reply[:2] == b"\x01\x02"


MACHINE = "nameserver 10.0.0.1\nsearch corp.example\noptions ndots:1 timeout:3\n"


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            {},
            "nameserver 127.1.1.1\n"
            "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
            "options ndots:5\n",
        ),
        ({"dnsPolicy": "Default"}, "nameserver 10.0.0.1\nsearch corp.example\noptions ndots:1 timeout:3\n"),
        ({"hostNetwork": True}, "nameserver 10.0.0.1\nsearch corp.example\noptions ndots:1 timeout:3\n"),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {
                    "nameservers": ["1.1.1.1"],
                    "searches": ["a.b"],
                    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
                },
            },
            "nameserver 1.1.1.1\nsearch a.b\noptions ndots:2 edns0\n",
        ),
    ],
)
def test_a_pod_has_the_resolv_conf_of_its_policy(spec: dict[str, Any], wanted: str) -> None:
    pod = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    assert resolv_conf(pod, MACHINE, server="127.1.1.1", zone="cluster.local") == wanted
