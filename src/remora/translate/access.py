"""From annotations to who may come in (behaviour reference, part B, sections 1 and 2)."""

import hmac
from collections.abc import Sequence

import msgspec

from remora.annotations.allowlist import AddressLists
from remora.annotations.auth_basic import AuthBasic
from remora.annotations.configmap import GlobalAuth
from remora.annotations.registry import Parsed
from remora.core.names import ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import Secret
from remora.model import OPEN, Access, Login, Scheme
from remora.translate.passwords import MOST_USERS, Line, file_lines, find_basic_users, find_digest_users, map_lines
from remora.translate.references import find_referenced
from remora.translate.view import View

_FILE = "auth"
"""The key of a Secret with a file of htpasswd."""

_EVERYBODY = {"0.0.0.0/0", "::/0"}


class FoundAccess(msgspec.Struct, frozen=True, gc=False):
    """Who may come in; or, with a `refusal`, why nobody may."""

    access: Access = OPEN
    refusal: str = ""
    problems: tuple[Problem, ...] = ()


def find_access(view: View, ref: ObjectRef, parsed: Parsed) -> FoundAccess:
    """What the Ingress asks of clients, wherever it is not `without_login`."""
    lists, group = parsed.of(AddressLists), parsed.of(AuthBasic)
    satisfies_any = group.satisfy == "any"
    # cert-manager writes such a list on the Ingress of every challenge, so that no global list stands in its way.
    is_everybody = not lists.allow or (set(lists.allow) >= _EVERYBODY and not satisfies_any)
    access = Access(None if is_everybody else lists.allow, lists.deny, satisfies_any=satisfies_any)
    if not group.kind:
        return FoundAccess(access)
    if not group.secret:
        return FoundAccess(refusal="auth-type needs auth-secret")
    secret, refusal = find_referenced(view, Secret, group.secret, parsed=parsed, namespace=ref.name.namespace)
    if secret is None:
        return FoundAccess(refusal=refusal)
    data = secret.data or {}
    is_file = group.layout == "auth-file"
    if is_file and _FILE not in data:
        return FoundAccess(refusal=f"Secret {secret.key} has no key {_FILE}")
    lines = list(file_lines(data[_FILE]) if is_file else map_lines(data))
    if len(lines) > MOST_USERS:
        return FoundAccess(refusal=f"Secret {secret.key} has more than {MOST_USERS} names")
    if group.kind == "basic":
        key = hmac.digest(view.settings.session_key, f"remora passwords {secret.key}".encode(), "sha256")
        users, unusable = find_basic_users(lines, salt=key)
    else:
        users, unusable = find_digest_users(lines, realm=group.realm)
    login = Login(Scheme(group.kind), group.realm, tuple(sorted(users.items())))
    problems = _problems(ref, secret, lines, login, unusable)
    return FoundAccess(msgspec.structs.replace(access, login=login), problems=problems)


def passwords_refused(ref: ObjectRef, why: str) -> Problem:
    """What the owner of an Ingress is told whose clients cannot be asked for a password."""
    message = f"clients cannot be asked for a password: {why}"
    consequence = "every path of this Ingress answers 503"
    return Problem(ref, "metadata.annotations", "PasswordsUnusable", message, consequence, Severity.ERROR)


def skips_authentication(parsed: Parsed, path: str) -> bool:
    """Whether a rule's path is one of those where nobody has to say who it is (`no-auth-locations`)."""
    return path.startswith(parsed.defaults.of(GlobalAuth).free_locations)


def without_login(access: Access) -> Access:
    """The same for such a path: the lists of addresses count as ever."""
    return msgspec.structs.replace(access, login=None)


def _problems(
    ref: ObjectRef, secret: Secret, lines: Sequence[Line], login: Login, unusable: Sequence[str]
) -> tuple[Problem, ...]:
    field = "metadata.annotations"
    if unusable:
        where = ", ".join(unusable[:5]) + (f" and {len(unusable) - 5} more" if len(unusable) > 5 else "")
        message = f"Secret {secret.key}: no hash that is known here in {where}"
        return (Problem(ref, field, "PasswordUnusable", message, "these names are not let in, whatever their password"),)
    if not login.users:
        message = f"Secret {secret.key} has no names" + (f" of the realm {login.realm!r}" if lines else "")
        return (Problem(ref, field, "PasswordsMissing", message, "nobody is let in by a password"),)
    return ()
