"""A cluster in a thread of this process: started, used from anywhere, and ended with all that it ran."""

import asyncio
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

from remora.cluster.api.authorization.authorizer import AuthorizationMode
from remora.cluster.builtin import add_builtin_images
from remora.cluster.cluster import Cluster, Parts
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.start import Start
from remora.testing.kubectl import Kubectl
from remora.testing.place import temporary_start

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

T = TypeVar("T")

_PATIENCE = 60.0


class RequestFailed(Exception):
    """The API server refused a request; `status` is what it said."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        super().__init__(str(status.get("message", status)))
        self.status = status


class LocalCluster:
    """A cluster that runs. `kubeconfig` is the administrator's."""

    def __init__(self, start: Start, server: str) -> None:
        self.server = server
        self.kubeconfig = start.profile.kubeconfig
        self.directory = start.profile.directory
        self.entry = start.entry.url
        """Where the Ingress controller answers, if there is one."""
        self.kubectl = Kubectl(kubeconfig=self.kubeconfig, home=self.directory)
        self._images = ImageCatalog(start.profile.images)
        self._context = ssl.create_default_context(cafile=str(start.profile.pki / "ca.crt"))
        self._context.load_cert_chain(start.profile.pki / "admin.crt", start.profile.pki / "admin.key")

    def add_image(self, name: str, *command: str, workdir: str | Path = "", env: Mapping[str, str] | None = None) -> None:
        """Makes an image known: the command that its containers run."""
        self._images.add(Image(name=name, command=command, workdir=str(workdir), env=env or {}))

    @asynccontextmanager
    async def client(self) -> AsyncIterator["ApiClient"]:
        """A client of kubernetes_asyncio, for the loop in which it is asked for."""
        from kubernetes_asyncio.config import new_client_from_config

        async with await new_client_from_config(config_file=str(self.kubeconfig)) as client:
            yield client

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """What the API server answers, without any client: `request("GET", "/api/v1/pods")`.

        Raises:
            RequestFailed: it answered with an error.
        """
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, content, {"Content-Type": content_type}, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=_PATIENCE) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise RequestFailed(json.loads(error.read() or b"{}")) from None


def eventually(find: Callable[[], T | None], *, within: float = 30.0, what: str = "") -> T:
    """What `find` gives as soon as it gives something true; it is asked ten times a second.

    Raises:
        AssertionError: it gave nothing in time.
    """
    deadline = monotonic() + within
    while not (found := find()):
        assert monotonic() < deadline, f"still no {what or getattr(find, '__name__', 'success')} after {within:.0f} s"
        sleep(0.1)
    return found


@contextmanager
def local_cluster(
    *,
    node: bool = True,
    services: bool = False,
    ingress: bool = False,
    images: Iterable[Image] = (),
    authorization_mode: AuthorizationMode = "AlwaysAllow",
) -> Iterator[LocalCluster]:
    """A new cluster until the end of the block.

    Without `node`, pods are stored and stay Pending; `services` makes the addresses of Services answer; `ingress` runs the
    Ingress controller, which needs both. With the authorization mode `RBAC` accounts have the rights that their roles give.

    Raises:
        RemoraError: it cannot start.
    """
    parts = Parts(node=node or ingress, services=services or ingress, ingress=ingress)
    with temporary_start() as start:
        catalog = ImageCatalog(start.profile.images)
        add_builtin_images(catalog)
        for image in images:
            catalog.add(image)
        cluster = Cluster(start, parts=parts, authorization_mode=authorization_mode)
        with _running(cluster, wait_for_ingress=ingress):
            yield LocalCluster(start, cluster.server)


@contextmanager
def _running(cluster: Cluster, *, wait_for_ingress: bool) -> Iterator[None]:
    started: Future[Callable[[], None]] = Future()

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        async def ready(cluster: Cluster) -> None:
            if wait_for_ingress and (why := await cluster.wait_controller(_PATIENCE)):
                raise AssertionError(f"the Ingress controller is not ready: {why}")
            started.set_result(lambda: _call(loop, stop.set))

        await cluster.run(stop, ready)

    def run_in_thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            else:
                raise

    thread = threading.Thread(target=run_in_thread, name="remora", daemon=True)
    thread.start()
    stop = started.result()
    try:
        yield
    finally:
        stop()
        thread.join(_PATIENCE)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():  # it has failed already, and its traceback was shown
        loop.call_soon_threadsafe(function)
