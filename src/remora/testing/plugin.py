"""The pytest plugin. It imports nothing of Remora until a test asks for a cluster."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

    from remora.cluster.kubelet.images import Image
    from remora.testing.kubectl import Kubectl
    from remora.testing.local import LocalCluster

_PARTS = ("node", "services", "ingress")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("remora_images", "images of Remora's clusters, one a line: NAME = COMMAND ARG...", type="linelist")
    parser.addini("remora_parts", f"what runs in the session's cluster, of: {' '.join(_PARTS)}", type="args", default=["node"])


@pytest.fixture(scope="session")
def remora_cluster(pytestconfig: pytest.Config) -> "Iterator[LocalCluster]":
    """One cluster for all tests (of a worker). What runs in it is said by `remora_parts`."""
    parts = _parts(pytestconfig)
    with _local_cluster(pytestconfig, **parts) as cluster:
        yield cluster


@pytest.fixture
def fresh_cluster(pytestconfig: pytest.Config) -> "Iterator[Callable[..., LocalCluster]]":
    """Makes a cluster for this test alone each time it is called; by keyword, what runs in it: node, services, ingress."""
    with ExitStack() as stack:
        yield lambda **parts: stack.enter_context(_local_cluster(pytestconfig, **(parts or _parts(pytestconfig))))


@pytest.fixture(scope="session")
def kubectl(remora_cluster: "LocalCluster") -> "Kubectl":
    """kubectl against the session's cluster."""
    if not remora_cluster.kubectl.is_installed():
        pytest.skip("kubectl is not on this machine")
    return remora_cluster.kubectl


@pytest.fixture
def remora_client(remora_cluster: "LocalCluster") -> "Callable[[], AbstractAsyncContextManager[ApiClient]]":
    """Makes clients of kubernetes_asyncio: `async with remora_client() as client`."""
    return remora_cluster.client


@pytest.fixture
def remora_namespace(remora_cluster: "LocalCluster") -> Iterator[str]:
    """The name of a namespace for this test alone."""
    name = f"test-{uuid4().hex[:8]}"
    remora_cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    remora_cluster.request("DELETE", f"/api/v1/namespaces/{name}")


def _local_cluster(
    config: pytest.Config, *, node: bool = True, services: bool = False, ingress: bool = False
) -> "AbstractContextManager[LocalCluster]":
    from remora.testing.local import local_cluster

    return local_cluster(images=_images(config), node=node, services=services, ingress=ingress)


def _parts(config: pytest.Config) -> dict[str, bool]:
    wanted: list[str] = config.getini("remora_parts")
    if unknown := set(wanted) - set(_PARTS):
        raise pytest.UsageError(f"remora_parts: {', '.join(sorted(unknown))} is not one of {', '.join(_PARTS)}")
    return {part: part in wanted for part in _PARTS}


def _images(config: pytest.Config) -> "Iterator[Image]":
    """The images of the configuration; their commands run where pytest's files are."""
    from remora.cluster.kubelet.images import Image

    for line in config.getini("remora_images"):
        name, equals, command = line.partition("=")
        words = shlex.split(command)
        if not equals or not words:
            raise pytest.UsageError(f"remora_images: expected NAME = COMMAND, not {line!r}")
        yield Image(name=name.strip(), command=(_program(words[0]), *words[1:]), workdir=str(config.rootpath))


def _program(word: str) -> str:
    """What is installed beside the Python that runs the tests comes first: `python`, for one."""
    beside = Path(sys.executable).parent / word
    return str(beside) if "/" not in word and beside.exists() else word
