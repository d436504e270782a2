"""What a row of the annotation table is, and how a field of a group becomes one.

A group is a frozen dataclass whose every field was made by `annotation` or `refused`, or for a key of the ConfigMap by
`global_setting` or `idle_setting`; everything known about an annotation or a key stands on its field.
"""

import dataclasses
from collections.abc import Callable
from enum import Enum, IntEnum
from functools import cache
from typing import Any, TypeVar, cast

from remora.annotations.values import text

T = TypeVar("T")

OWN_PREFIX = "remora.io"
"""Where annotations stand that only Remora has."""

FORMER_CLASS = f"{OWN_PREFIX}/former-class"
"""What a migration keeps on an Ingress that it gave another class: its class of before, the way back."""

NOTES = frozenset((FORMER_CLASS,))
"""Keys under OWN_PREFIX that commands keep for themselves on Ingresses: they say nothing to the controller, and nobody is told
to remove them."""


class Scope(Enum):
    """What a setting is attached to, and so where two Ingresses can disagree."""

    HOST = "host"
    ROUTE = "route"
    BACKEND = "backend"
    GLOBAL = "global"


class Risk(IntEnum):
    """How much harm a value can do; the ConfigMap's `annotations-risk-level` is the highest that is accepted."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class OnInvalid(Enum):
    """What a refused value does."""

    DEFAULT = "default"
    """The default counts, the rest of the Ingress works."""
    DENY = "deny"
    """Every route of the Ingress answers 503."""


class Support(Enum):
    """How far an annotation is honoured."""

    FULL = "full"
    PARTIAL = "partial"
    """Honoured with a difference; `differs` says which."""
    WITHOUT_EFFECT = "without effect"
    """Accepted, and there is nothing to do; `differs` says why."""
    UNREAD = "unread"
    """ingress-nginx does not read it, any more or ever; `differs` says what to write instead. Whoever writes it is told."""
    REFUSED = "refused"
    """It guards access and cannot be honoured, so it closes its routes wherever it is used; `differs` says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Everything known about one annotation. `name` has no prefix; it is "" for what only the ConfigMap can say."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    doc: str
    aliases: tuple[str, ...] = ()
    scope: Scope = Scope.ROUTE
    risk: Risk = Risk.LOW
    global_key: str = ""
    """The ConfigMap key that replaces the default for every Ingress; "" if there is none."""
    on_invalid: OnInvalid = OnInvalid.DEFAULT
    support: Support = Support.FULL
    differs: str = ""
    guards: bool = False
    """Whether it restricts access, so that an Ingress must not be served without it."""
    inert: Callable[[str], bool] = lambda _: False
    """Whether a text asks for nothing, so that not honouring it changes nothing."""
    own: bool = False
    """Whether only Remora has it: it stands under OWN_PREFIX then, and under no prefix of ingress-nginx."""
    accepts: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    haproxy: tuple[str, ...] = ()

    def key(self, prefix: str) -> str:
        """The annotation as it is written; `prefix` is that of ingress-nginx's annotations."""
        return f"{OWN_PREFIX if self.own else prefix}/{self.name}"


def annotation(
    name: str,
    parse: Callable[[str], T],
    *,
    default: T,
    doc: str,
    aliases: tuple[str, ...] = (),
    scope: Scope = Scope.ROUTE,
    risk: Risk = Risk.LOW,
    global_key: str = "",
    on_invalid: OnInvalid = OnInvalid.DEFAULT,
    support: Support = Support.FULL,
    differs: str = "",
    guards: bool = False,
    own: bool = False,
    accepts: tuple[str, ...] = (),
    refuses: tuple[str, ...] = (),
    haproxy: tuple[str, ...] = (),
) -> T:
    """A field that an annotation fills; typed as its value, so that a parser or default that does not fit is a type error."""
    columns = dict(locals())  # the parameters are the columns
    return cast(T, _field(Row(**columns)))


def refused(
    name: str,
    doc: str,
    *,
    differs: str,
    inert: Callable[[str], bool] = lambda _: False,
    risk: Risk = Risk.LOW,
    global_key: str = "",
) -> str:
    """A field for an annotation of ingress-nginx that guards access and cannot be honoured; `differs` says why."""
    columns = dict(locals())  # the parameters are the columns
    return cast(str, _field(Row(**columns, parse=text, default="", guards=True, support=Support.REFUSED)))


def unread(name: str, doc: str, differs: str) -> str:
    """A field for a name that people write and ingress-nginx does not read; `differs` says what was meant."""
    return cast(str, _field(Row(name=name, parse=str, default="", doc=doc, support=Support.UNREAD, differs=differs)))


def global_setting(
    key: str,
    parse: Callable[[str], T],
    *,
    default: T,
    doc: str,
    support: Support = Support.FULL,
    differs: str = "",
    guards: bool = False,
    accepts: tuple[str, ...] = (),
    refuses: tuple[str, ...] = (),
    haproxy: tuple[str, ...] = (),
) -> T:
    """A field that only the controller's ConfigMap can fill. A refused value closes everything if it guards access."""
    columns = dict(locals())  # the parameters are the columns
    columns["global_key"] = columns.pop("key")
    on_invalid = OnInvalid.DENY if guards else OnInvalid.DEFAULT
    return cast(T, _field(Row(**columns, name="", scope=Scope.GLOBAL, on_invalid=on_invalid)))


def idle_setting(key: str, doc: str, differs: str) -> str:
    """A field for a key of ingress-nginx's ConfigMap with which there is nothing to do; `differs` says why."""
    support = Support.WITHOUT_EFFECT
    row = Row(name="", global_key=key, parse=str, default="", doc=doc, scope=Scope.GLOBAL, support=support, differs=differs)
    return cast(str, _field(row))


def _field(row: Row) -> Any:
    return dataclasses.field(default=row.default, metadata={"row": row})


@cache
def rows_of(group: type) -> dict[str, Row]:
    """The rows of a group by the name of their field, in the order in which they stand there."""
    return {field.name: field.metadata["row"] for field in dataclasses.fields(group)}


def is_off(text: str) -> bool:
    """Whether a text switches something off: the usual `inert` of switches and counts."""
    return text.strip().lower() in ("0", "f", "false", "off", "no", "none")
