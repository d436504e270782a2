"""What a person can do about an error of the surroundings that says only what is wrong. Pure."""

from remora.core.errors import ApiServerRefused, ApiServerUnreachable, RemoraError

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
