"""`remora explain` and `remora routes` as they are typed."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from remora.cli.main import app
from tests.support.dns import dns_server

MANIFESTS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {nginx.ingress.kubernetes.io/affinity: cookie}}
spec:
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /x, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: web-a, uid: a}}]
"""


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    path = tmp_path / "all.yaml"
    path.write_text(MANIFESTS)
    return str(path)


def run(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines() if line]


def test_the_way_of_a_request_is_printed_step_by_step(manifests: str) -> None:
    said = run("explain", "https://shop.example//a", "-f", manifests, "--flags", "--watch-ingress-without-class")
    assert said[:3] == ["request GET https://shop.example//a", "host shop.example", "path /a"]
    assert "answer pod web-a at 10.0.0.1:8080" in said
    assert "Exact /x shop.example default/web the path is not exactly /x" in said


def test_flags_of_the_controller_count(manifests: str) -> None:
    said = run("explain", "shop.example", "-f", manifests)
    assert "answer 404 of the default backend: no route takes it" in said
    assert said[-1].endswith("it names no class, and --watch-ingress-without-class is not given")


def test_routes_are_listed_in_the_order_of_trial(manifests: str) -> None:
    assert run("routes", "-f", manifests, "--flags", "--watch-ingress-without-class") == [
        "HOST PATH INGRESS TO PODS SESSION",
        "shop.example Exact /x default/web default-web-80@hash 1 INGRESSCOOKIE, balanced",
        "shop.example Prefix / default/web default-web-80@hash 1 INGRESSCOOKIE, balanced",
    ]


async def test_a_name_elsewhere_is_resolved(tmp_path: Path) -> None:
    text = MANIFESTS.replace("{ports: [{port: 80}]}", "{type: ExternalName, externalName: db.example}")
    (tmp_path / "all.yaml").write_text(text)
    async with dns_server() as server:
        server.records = {("db.example.", "A"): ("192.0.2.1", "192.0.2.2")}
        flags = f"--watch-ingress-without-class {server.flag}"
        said = await asyncio.to_thread(run, "explain", "shop.example", "-f", str(tmp_path), "--flags", flags)
    assert "backend default-web-80@hash (2 addresses of db.example)" in said
    assert {"- 192.0.2.1:80 active -", "- 192.0.2.2:80 active -"} <= set(said)


def test_who_asks_for_a_host_without_routes_is_not_told_that_there_are_none_at_all(manifests: str) -> None:
    result = CliRunner().invoke(app, ["routes", "other.example", "-f", manifests, "--flags", "--watch-ingress-without-class"])
    assert "There are no routes of host other.example; `remora routes` lists" in result.output


def test_routes_are_watched_and_printed_again_when_they_are_others(manifests: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter((MANIFESTS, MANIFESTS.replace("/x", "/y")))

    def rest(seconds: float) -> None:
        if (text := next(looks, None)) is None:
            raise KeyboardInterrupt
        Path(manifests).write_text(text)

    monkeypatch.setattr("remora.cli.render.watching._rest", rest)
    said = run("routes", "-f", manifests, "--flags", "--watch-ingress-without-class", "--watch")
    assert [line.split()[2] for line in said if "Exact" in line] == ["/x", "/y"]
    assert CliRunner().invoke(app, ["routes", "-f", "-", "--watch"]).exception
