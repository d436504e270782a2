"""What HAProxy has no converter for, as Lua that it loads at its start."""

from functools import cache
from importlib import resources


@cache
def former_sessions_script() -> str:
    """The script that finds the pod of a cookie of ingress-nginx's balanced mode."""
    return resources.files(__name__).joinpath("former_sessions.lua").read_text()
