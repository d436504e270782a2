"""What HAProxy has no converter for, as Lua that it loads at its start."""

from functools import cache
from importlib import resources


@cache
def external_auth_script() -> str:
    """The script that asks another service whether a request may pass. It is told the socket through which it asks."""
    return resources.files(__name__).joinpath("external_auth.lua").read_text()


@cache
def former_sessions_script() -> str:
    """The script that finds the pod of a cookie of ingress-nginx's balanced mode."""
    return resources.files(__name__).joinpath("former_sessions.lua").read_text()


@cache
def passwords_script() -> str:
    """The script that tries passwords. It is told the map of users, the controller's socket, and a key if there is one."""
    return resources.files(__name__).joinpath("passwords.lua").read_text()


@cache
def rewrite_script() -> str:
    """The script that makes paths anew from groups of regular expressions."""
    return resources.files(__name__).joinpath("rewrite.lua").read_text()


@cache
def session_placement_script() -> str:
    """The script that gives new sessions their pods. It is told the file of the map `servers`."""
    return resources.files(__name__).joinpath("session_placement.lua").read_text()


@cache
def snippets_script() -> str:
    """The script that walks the steps of snippets."""
    return resources.files(__name__).joinpath("snippets.lua").read_text()


@cache
def subset_script() -> str:
    """The script that chooses among the few servers of a key."""
    return resources.files(__name__).joinpath("subset.lua").read_text()


@cache
def too_large_script() -> str:
    """The script that answers 413 and takes what the client still sends."""
    return resources.files(__name__).joinpath("too_large.lua").read_text()


@cache
def error_pages_script() -> str:
    """The script that answers with the page of a default backend."""
    return resources.files(__name__).joinpath("error_pages.lua").read_text()


@cache
def pod_answers_script() -> str:
    """The script that changes names in pods' cookies and redirects."""
    return resources.files(__name__).joinpath("pod_answers.lua").read_text()


@cache
def mirror_script() -> str:
    """The script that sends copies of requests."""
    return resources.files(__name__).joinpath("mirror.lua").read_text()


@cache
def client_chain_script() -> str:
    """What counts the authorities in a chain that a client sent."""
    return resources.files(__name__).joinpath("client_chain.lua").read_text()
