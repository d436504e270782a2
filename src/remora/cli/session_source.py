"""Asks controllers for their sessions: one by its URL, or all that a cluster has, through the API server's pod proxy."""

from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, RemoraError, UsageError
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.observe.session_report import SessionQuestion, SessionReport, merged

CONTROLLERS = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Dremora"
HEALTH_PORT = 10254
_TIMEOUT = 10.0


class SessionSource(msgspec.Struct, frozen=True):
    """Whom to ask: the controller with that URL, or if that is "" all controllers of the cluster."""

    controller: str = ""
    kubeconfig: str = ""
    context: str = ""


class Told(msgspec.Struct, frozen=True):
    """What controllers said together, how many said it, and who did not and why."""

    report: SessionReport
    controllers: int = 1
    notes: tuple[str, ...] = ()


async def fetch_sessions(source: SessionSource, question: SessionQuestion) -> Told:
    """What the controllers say.

    Raises:
        RemoraError: there is none, or none of them answers.
    """
    if source.controller:
        return Told(await _ask_url(source.controller, question))
    connection = await connect(source.kubeconfig, source.context)
    async with ApiClient.open(connection) as client:
        pods = [pod for pod in msgspec.json.decode(await client.read(CONTROLLERS))["items"] if _is_controller(pod)]
        if not pods:
            raise RemoraError(f"no controller runs in {connection.server}; one elsewhere is asked with --controller URL")
        # Only what several say has to be told session by session.
        asked = msgspec.structs.replace(question, digests="1" if len(pods) > 1 else "")
        reports, notes = [], []
        for pod in pods:
            try:
                reports.append(_parse(await client.read(f"{_path(pod)}?{_query(asked)}"), _name(pod)))
            except ApiServerError as error:
                notes.append(f"{_name(pod)}: {_why(error)}")
    if not reports:
        raise RemoraError(f"no controller says what sessions there are: {'; '.join(notes)}")
    return Told(merged(reports), len(reports), tuple(notes))


async def _ask_url(url: str, question: SessionQuestion) -> SessionReport:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--controller {url}: give the URL of a controller's health port, http://ADDRESS:{HEALTH_PORT}")
    wanted = f"{url.rstrip('/').removesuffix('/sessions')}/sessions?{_query(question)}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(wanted) as response:
            body = await response.read()
            if response.status != 200:
                raise RemoraError(f"{url} does not tell its sessions: {response.status} {body[:200].decode(errors='replace')}")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise RemoraError(f"{url} does not answer: {error or type(error).__name__}") from error
    return _parse(body, url)


def _parse(body: bytes, who: str) -> SessionReport:
    try:
        return msgspec.json.decode(body, type=SessionReport)
    except msgspec.MsgspecError as error:
        raise RemoraError(f"{who}: the answer tells no sessions: {error}") from error


def _query(question: SessionQuestion) -> str:
    return urlencode({name: text for name, text in msgspec.structs.asdict(question).items() if text})


def _is_controller(pod: dict[str, Any]) -> bool:
    runs = (pod.get("status") or {}).get("phase") == "Running"
    return runs and pod["metadata"].get("labels", {}).get("app.kubernetes.io/component", "controller") == "controller"


def _path(pod: dict[str, Any]) -> str:
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or ()]
    port = next((port["containerPort"] for port in ports if port.get("name") == "metrics"), HEALTH_PORT)
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port}/proxy/sessions"


def _name(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _why(error: ApiServerError) -> str:
    if isinstance(error, ApiServerRefused) and error.status == 404:
        return "it knows no /sessions; is it an older Remora?"
    return str(error)
