"""From the affinity annotations to how a route keeps a client on its endpoint (behaviour reference, part A, section 1)."""

import re

from remora import model
from remora.annotations import affinity
from remora.annotations.registry import Parsed
from remora.annotations.sessions import Sessions
from remora.model import AffinityMode, CookieAttributes, CookieFormat, SameSite
from remora.translate.backends import BackendRef, backend_key
from remora.translate.paths import has_alternatives
from remora.translate.sessions import find_sessions

_ELEMENT = r"/(?:[A-Za-z0-9_~-]|\\[.~_-])+"
_ENDS_ELEMENT = r"(?=/(?![?*{])|\((?:\?:)?/|\$|\Z)"
_SENDABLE_BEGINNING = re.compile(r"(?:/[!-.0-:<-{}~]*)*(?=/|\Z)")
_LITERAL_BEGINNING = re.compile(f"(?:{_ELEMENT})*{_ENDS_ELEMENT}")


def find_affinity(
    parsed: Parsed, ref: BackendRef, *, path: str, is_regex: bool, cookie_format: CookieFormat = CookieFormat.REMORA
) -> model.Affinity | None:
    """The affinity of a route with the path as written; None if it has none.

    Every route has its own, also where several Ingresses use one Service: in ingress-nginx the last of them decides for all.
    `cookie_format` counts where no annotation says another.
    """
    group = parsed.of(affinity.Affinity)
    if group.kind != "cookie":
        return None
    sessions = find_sessions(parsed, cookie_format=cookie_format)
    return model.Affinity(
        mode=AffinityMode(group.mode),
        cookie_name=group.cookie_name,
        backend_key=backend_key(ref),
        attributes=_attributes(group, parsed.of(Sessions), path=path, is_regex=is_regex),
        change_on_failure=group.cookie_change_on_failure,
        sessions=sessions,
        former_name=ref.text if sessions.cookie_format is CookieFormat.INGRESS_NGINX else "",
    )


def keeps_unready(parsed: Parsed, affinity: model.Affinity | None) -> bool:
    """Whether a pod that is not ready goes on serving its sessions; without sessions it has nothing to serve."""
    return affinity is not None and parsed.of(Sessions).keep_unready


def _attributes(group: affinity.Affinity, own: Sessions, *, path: str, is_regex: bool) -> CookieAttributes:
    return CookieAttributes(
        path=group.cookie_path or (literal_beginning(path) if is_regex else sendable_beginning(path)),
        domain=group.cookie_domain,
        expires=group.cookie_expires,
        max_age=group.cookie_max_age,
        secure=True if group.cookie_secure or own.cookie_partitioned else None,
        same_site=SameSite(group.cookie_same_site) if group.cookie_same_site else None,
        omit_same_site_for_old_browsers=group.cookie_conditional_same_site,
        partitioned=own.cookie_partitioned,
    )


def sendable_beginning(path: str) -> str:
    """The path as it is written, up to the first element that cannot stand in a cookie's Path (RFC 6265 section 4.1.1).

    A browser compares with the path as it sends it, percent-encoded, so nothing is lost by leaving out what is no ASCII.
    """
    found = _SENDABLE_BEGINNING.match(path)
    return found[0] if found and found[0] else "/"


def literal_beginning(pattern: str) -> str:
    """The whole path elements with which everything that the pattern matches begins, "/" if there are none.

    A browser compares a cookie's Path with the request's path as text (RFC 6265 section 5.1.4), so the expression itself, which
    ingress-nginx sends, would never bring the cookie back.
    """
    if has_alternatives(pattern):
        return "/"
    found = _LITERAL_BEGINNING.match(pattern)
    return re.sub(r"\\(.)", r"\1", found[0]) if found and found[0] else "/"
