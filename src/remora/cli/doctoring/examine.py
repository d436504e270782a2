"""Runs all checks at once, each bounded in time: one that fails or hangs is a finding, and does not stop the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from remora.cli.doctoring import local_profiles, machine
from remora.core.errors import RemoraError
from remora.report.doctor import machine as judge
from remora.report.doctor.cluster import ServerFacts, judge_server
from remora.report.doctor.finding import Finding, warning
from remora.report.doctor.profiles import judge_profile

T = TypeVar("T")

Collect = Callable[[], Awaitable[Iterable[Finding]]]


class Check(msgspec.Struct, frozen=True):
    """A name, and how its findings are made."""

    name: str
    collect: Collect


class Patient(msgspec.Struct, frozen=True):
    """What is examined. Without `cluster` only this machine is."""

    kubeconfig: str = ""
    context: str = ""
    haproxy: str = ""
    cluster: bool = True
    timeout: float = 10.0


async def examine(patient: Patient) -> list[Finding]:
    """All findings, in the order of the checks."""
    found = await run_checks(machine_checks(patient), patient.timeout)
    version: judge.Version | None = None
    if patient.cluster:
        of_cluster, version = await examine_cluster(patient)
        found += of_cluster
    kubectl = Check("kubectl", lambda: _one(machine.read_kubectl, lambda client: [judge.judge_kubectl(client, version)]))
    return [*found, *await run_checks([kubectl], patient.timeout)]


async def run_checks(checks: Iterable[Check], timeout: float) -> list[Finding]:
    """The findings of checks that run side by side."""
    return [finding for found in await asyncio.gather(*(_bounded(one, timeout) for one in checks)) for finding in found]


async def _bounded(check: Check, timeout: float) -> list[Finding]:
    todo = "try again with a longer --timeout; if it stays so, look there by hand"
    try:
        async with asyncio.timeout(timeout):
            return list(await check.collect())
    except TimeoutError:
        return [warning(check.name, "not looked at", f"it took longer than {timeout:g} s", todo)]
    except RemoraError as error:
        return [warning(check.name, "not looked at", str(error), "see what the message says")]
    except Exception as error:
        return [
            warning(
                check.name, "not looked at", f"{type(error).__name__}: {error}", "this is a mistake of the check: report it"
            )
        ]


def machine_checks(patient: Patient) -> list[Check]:
    """What is looked at on this machine."""
    return [
        Check("python", lambda: _one(machine.read_python, lambda version: [judge.judge_python(version)])),
        Check("haproxy", lambda: _one(lambda: machine.read_haproxy(patient.haproxy), judge.judge_haproxy)),
        Check("ports", lambda: _one(machine.read_ports, lambda ports: map(judge.judge_port, ports))),
        Check("limits", lambda: _one(machine.read_descriptors, lambda limits: [judge.judge_descriptors(*limits)])),
        Check("loopback", lambda: _one(machine.read_loopback, lambda unusable: [judge.judge_loopback(unusable)])),
        Check("state", lambda: _one(machine.read_directories, lambda found: map(judge.judge_directory, found))),
        Check(
            "profiles", lambda: _one(local_profiles.read_profiles, lambda found: [y for x in found for y in judge_profile(x)])
        ),
        Check(
            "ports", lambda: _one(lambda: list(local_profiles.read_profile_ports()), lambda found: map(judge.judge_port, found))
        ),
    ]


async def examine_cluster(patient: Patient) -> tuple[list[Finding], judge.Version | None]:
    """What is found in the cluster of a kubeconfig, and the version of its API server."""
    from remora.cli.doctoring.kubernetes import Cluster
    from remora.kube.client import ApiClient
    from remora.kube.credentials import connect

    server = ""
    try:
        async with asyncio.timeout(patient.timeout):
            connection = await connect(patient.kubeconfig, patient.context)
            server = connection.server
    except (RemoraError, TimeoutError) as error:
        return [judge_server(ServerFacts(server, refusal=str(error) or "logging in took too long"))], None
    async with ApiClient.open(connection) as client:
        cluster = Cluster(client)
        try:
            async with asyncio.timeout(patient.timeout):
                version = await cluster.version()
        except (RemoraError, TimeoutError, ValueError) as error:
            return [judge_server(ServerFacts(server, refusal=str(error) or f"no answer in {patient.timeout:g} s"))], None
        checks = [
            Check("controller", cluster.controllers),
            Check("leader", cluster.leaders),
            Check("rights", cluster.rights),
            Check("classes", cluster.classes),
            Check("references", cluster.references),
            Check("certificates", cluster.certificates),
            Check("webhooks", cluster.webhooks),
        ]
        return [judge_server(ServerFacts(server, version)), *await run_checks(checks, patient.timeout)], version


async def _one(read: Callable[[], T], judged: Callable[[T], Iterable[Finding]]) -> list[Finding]:
    """Judges what is read in a thread that nobody waits for: a file system that hangs cannot be interrupted."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(put: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if done.done() else put())

    def run() -> None:
        try:
            found = read()
        except BaseException as error:
            failure = error
            settle(lambda: done.set_exception(failure))
        else:
            settle(lambda: done.set_result(found))

    threading.Thread(target=run, daemon=True).start()
    return list(judged(await done))
