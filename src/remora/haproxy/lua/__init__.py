"""What HAProxy has no converter for, as Lua that it loads at its start."""

from enum import Enum
from functools import cache
from importlib import resources


class Script(Enum):
    """The scripts, named by their file's stem, which is the same here and in the state directory."""

    BODY_METER = "body_meter"
    """Ends requests whose body grows too large while it is passed on."""
    CLIENT_CHAIN = "client_chain"
    """Counts the authorities in a chain that a client sent."""
    ERROR_PAGES = "error_pages"
    """Answers with the page of a default backend. It is told the socket through which it asks."""
    EXTERNAL_AUTH = "external_auth"
    """Asks another service whether a request may pass. It is told the socket through which it asks."""
    FORMER_SESSIONS = "former_sessions"
    """Finds the pod of a cookie of ingress-nginx's balanced mode."""
    MIRROR = "mirror"
    """Sends copies of requests."""
    PASSWORDS = "passwords"
    """Tries passwords. It is told the map of users, the controller's socket, and a key if there is one."""
    POD_ANSWERS = "pod_answers"
    """Changes names in pods' cookies and redirects."""
    REWRITE = "rewrite"
    """Makes paths anew from groups of regular expressions."""
    SESSION_PLACEMENT = "session_placement"
    """Gives new sessions their pods. It is told the file of the map `servers`."""
    SNIPPETS = "snippets"
    """Walks the steps of snippets."""
    SUBSET = "subset"
    """Chooses among the few servers of a key."""
    TOO_LARGE = "too_large"
    """Answers 413 and takes what the client still sends."""


@cache
def script_text(script: Script) -> str:
    """The script's source."""
    return resources.files(__name__).joinpath(f"{script.value}.lua").read_text()
