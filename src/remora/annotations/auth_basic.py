"""Basic and digest authentication (behaviour reference, part B, section 1)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, annotation
from remora.annotations.values import ValueRefused, choice, shown, spaced_basic, trimmed

_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"


def reference(text: str) -> str:
    """The name of an object, alone or behind its namespace and a slash."""
    value = trimmed(text)
    if not re.fullmatch(f"({_NAME}/)?{_NAME}", value):
        raise ValueRefused(f"{shown(value)} is not a name such as users or shop/users")
    return value


def realm(text: str) -> str:
    """A realm as ingress-nginx takes it; an empty one says nothing."""
    return spaced_basic(text) if text.strip() else ""


@dataclass(frozen=True, slots=True)
class AuthBasic:
    """Who must give a name and a password."""

    kind: str = annotation(
        "auth-type",
        choice("basic", "digest"),
        default="",
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="`basic` or `digest`: asks for a name and a password.",
        accepts=("basic", "digest"),
        refuses=("Basic", "ldap", ""),
        haproxy=("http-request lua.check_password", "http-request deny"),
    )
    secret: str = annotation(
        "auth-secret",
        reference,
        default="",
        guards=True,
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="The Secret that holds names and passwords, of the Ingress's namespace; `auth-type` needs it.",
        accepts=("users", "shop/users"),
        refuses=("a/b/c", "../users", "Users", "", "users\n/x"),
    )
    layout: str = annotation(
        "auth-secret-type",
        choice("auth-file", "auth-map"),
        default="auth-file",
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="How the Secret is laid out: `auth-file`, a file of `htpasswd` under the key `auth`, or `auth-map`, a key for each "
        "name with the hash as its value.",
        accepts=("auth-file", "auth-map"),
        refuses=("file", ""),
    )
    realm: str = annotation(
        "auth-realm",
        realm,
        default="",
        guards=True,
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="The realm that a browser shows.",
        accepts=("Authentication Required", "shop-1"),
        refuses=('a"b', "a\nb", "a|b", "é"),
    )
    satisfy: str = annotation(
        "satisfy",
        choice("all", "any"),
        default="all",
        guards=True,
        doc="Whether all (`all`) or any (`any`) of the checks must pass: the list of allowed addresses, the password, the "
        "external service.",
        accepts=("all", "any"),
        refuses=("none", "ANY", ""),
        haproxy=("http-request deny",),
    )
