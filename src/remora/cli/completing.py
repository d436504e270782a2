"""What words may become: asked by the script of `remora completion` at every Tab, so it answers fast or not at all."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import typer

from remora.core.errors import RemoraError

TIMEOUT = 1.0
"""Seconds for one answer of an API server; whoever waits longer would rather type."""
_MOST = 500
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@=-]*")
"""The shells' scripts evaluate what they are told, and names in kubeconfigs and clusters may be anybody's."""

Params = Mapping[str, Any]
Source = Callable[[Params], Iterable[str]]


class Item(msgspec.Struct, frozen=True):
    """One word, as the classes for shells read it."""

    value: str
    help: str = ""
    type: str = "plain"


def complete(app: typer.Typer) -> None:
    """Answers the shell that asks by environment variables, and ends the process."""
    from typer.completion import completion_init  # type: ignore[attr-defined]  # re-exported

    completion_init()
    command = typer.main.get_command(app)
    attach(command)
    command(prog_name="remora")


def attach(command: Any, path: tuple[str, ...] = ()) -> None:
    """Lets parameters whose values come from elsewhere be completed."""
    for parameter in command.params:
        source = _SOURCES.get((*path, parameter.name)) or _SOURCES.get((parameter.name,))
        if source is not None:
            parameter.shell_complete = _completer(source)
    for name, inner in getattr(command, "commands", {}).items():
        attach(inner, (*path, name))


def _completer(source: Source) -> Callable[[Any, str], list[Item]]:
    def words(context: Any, incomplete: str) -> list[Item]:
        found: list[str] = []
        with suppress(RemoraError, OSError, KeyError, TypeError, ValueError):
            found += source(context.params)
        fitting = sorted({word for word in found if word.startswith(incomplete) and _HARMLESS.fullmatch(word)})
        return [Item(word) for word in fitting[:_MOST]]

    return words


def _contexts(params: Params) -> Iterable[str]:
    from remora.cli.contexts import read_contexts

    return read_contexts(params.get("kubeconfig") or "").namespaces


def _profiles(params: Params) -> Iterable[str]:
    from remora.cluster.profile import home

    return [entry.parent.name for entry in home().glob("*/profile.json")]


def _namespaces(params: Params) -> Iterable[str]:
    return _names(params, "/api/v1/namespaces")


def _pods(params: Params) -> Iterable[str]:
    return _names(params, f"/api/v1{_place(params)}/pods")


def _services(params: Params) -> Iterable[str]:
    return _names(params, f"/api/v1{_place(params)}/services")


def _hosts(params: Params) -> Iterator[str]:
    for item in _items(params, "/apis/networking.k8s.io/v1/ingresses"):
        for rule in item["spec"].get("rules") or ():
            if host := rule.get("host"):
                yield host


def _urls(params: Params) -> Iterator[str]:
    for host in _hosts(params):
        yield from (f"http://{host}/", f"https://{host}/")


def _images(params: Params) -> Iterable[str]:
    from remora.cli.images import read_images

    return [image.name for image in read_images(params.get("profile") or "default")]


def _place(params: Params) -> str:
    from remora.cli.contexts import usual_namespace

    if params.get("all_namespaces"):
        return ""
    given = params.get("namespace")
    return f"/namespaces/{given or usual_namespace(params.get('kubeconfig') or '', params.get('context') or '')}"


def _names(params: Params, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in _items(params, path)]


def _items(params: Params, path: str) -> list[Any]:
    """The objects of a collection, of the local cluster if a profile was named."""
    query = f"{path}?limit={_MOST}"
    if "profile" in params:
        from remora.cluster.profile import find_profile

        profile = find_profile(params["profile"] or "default")
        return list(_api(profile.kubeconfig, "").read(query)["items"]) if profile else []
    return _read(params.get("kubeconfig") or "", params.get("context") or "", query)


def _read(kubeconfig: str, context: str, query: str) -> list[Any]:
    """By the small client, which is there at once; where that cannot log in, by the other, imported in half a second."""
    import os

    from remora.core.errors import ConfigurationError
    from remora.kube.credentials import kubeconfig_paths

    paths = kubeconfig_paths(kubeconfig, os.environ)
    try:
        return list(_api(Path(paths).expanduser(), context).read(query)["items"])
    except ConfigurationError:
        import asyncio

        return asyncio.run(_fetch(kubeconfig, context, query))


async def _fetch(kubeconfig: str, context: str, query: str) -> list[Any]:
    import asyncio

    from remora.kube.client import ApiClient
    from remora.kube.credentials import connect

    async with asyncio.timeout(TIMEOUT + 1):
        async with ApiClient.open(await connect(kubeconfig, context)) as client:
            return list(msgspec.json.decode(await client.read(query))["items"])


def _api(kubeconfig: Path, context: str) -> Any:
    from remora.cli.api import Api

    return Api(kubeconfig, context=context, timeout=TIMEOUT)


_SOURCES: dict[tuple[str, ...], Source] = {
    ("context",): _contexts,
    ("namespace",): _namespaces,
    ("profile",): _profiles,
    ("tail", "pods"): _pods,
    ("drain-wait", "pod"): _pods,
    ("service", "name"): _services,
    ("sessions", "service"): _services,
    ("routes", "host"): _hosts,
    ("explain", "url"): _urls,
    ("image", "remove", "name"): _images,
}
"""By command and parameter, or by parameter alone."""
