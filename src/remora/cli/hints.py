"""What a person can do about an error of the surroundings that says only what is wrong. Pure."""

from collections.abc import Sequence

from remora.core.errors import ApiServerRefused, ApiServerUnreachable, RemoraError

_OF_DASHBOARD = frozenset(("jinja2", "starlette", "uvicorn"))
_OF_CLUSTER = frozenset((*_OF_DASHBOARD, "httptools", "kubernetes_validate", "websockets"))
"""The modules that only an extra of pyproject.toml brings."""

_CHOOSE = "another cluster is chosen with --context or --kubeconfig"


def hint_for(error: RemoraError) -> str:
    """The next step; "" where the message itself says it."""
    match error:
        case ApiServerUnreachable():
            return f"`remora doctor` and, for a local cluster, `remora profiles` show whether it runs; {_CHOOSE}"
        case ApiServerRefused(status=401):
            return f"log in again: the kubeconfig's credentials are not (or no longer) known there; {_CHOOSE}"
        case ApiServerRefused(status=403):
            return (
                "ask for that right (`kubectl auth can-i --list` shows those that you have), or name a namespace with -n "
                f"where the command has it; {_CHOOSE}"
            )
        case _:
            return ""


def missing_extra(module: str, words: Sequence[str]) -> str:
    """What to install for a module that is not there; "" if no extra brings it. `words` are those of the command."""
    name = module.partition(".")[0]
    if "dashboard" in words[:1] and name in _OF_DASHBOARD:
        return "the dashboard needs more packages: pip install 'remora[dashboard]'"
    return "the local cluster needs more packages: pip install 'remora[cluster]'" if name in _OF_CLUSTER else ""
