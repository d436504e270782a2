"""Where `remora migrate compare` has its requests from: rules, an access log, and what people wrote."""

from pathlib import Path

from remora.cli.manifests import read_paths
from remora.cli.render import say
from remora.core.errors import UsageError
from remora.kube.objects import Ingress
from remora.migrate.requests import Replay, hosts_by_upstream, read_log, read_requests, requests_of
from remora.report.manifests import Manifest


def read_ingresses(paths: list[str] | None, *, cluster: bool, kubeconfig: str, context: str) -> list[Ingress]:
    """The Ingresses of files, or of a cluster."""
    if cluster:
        from remora.cli.fetch import fetch_cluster

        return list(fetch_cluster(kubeconfig, context).snapshot.all(Ingress))
    read = (one.object for one in read_paths(paths or ()) if isinstance(one, Manifest))
    return [one for one in read if isinstance(one, Ingress)]


def read_replays(ingresses: list[Ingress], *, access_log: str, requests: str, methods: tuple[str, ...]) -> list[Replay]:
    """All requests to send, each once."""
    found: dict[Replay, None] = dict.fromkeys(requests_of(ingresses, methods) if ingresses else ())
    if access_log:
        logged, left_out = read_log(_lines(access_log), hosts_by_upstream(ingresses))
        found |= dict.fromkeys(logged)
        if left_out:
            say(f"note: {left_out} lines of {access_log} name no host that is known, or change something; they are left out")
    for one in read_requests(_lines(requests)) if requests else ():
        if isinstance(one, str):
            raise UsageError(f"{requests}: {one}")
        found[one] = None
    return list(found)


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
