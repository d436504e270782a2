"""Compression of answers (behaviour reference, configuration, section 2.8)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import agents, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import ValueRefused, boolean, shown
from remora.core.options import GZIP_TYPES

_TOKEN_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.+-")


def media_types(text: str) -> tuple[str, ...]:
    """Media types between blanks; `*` for all."""
    found = tuple(dict.fromkeys(text.lower().split()))
    for one in found:
        kind, slash, name = one.partition("/")
        if one != "*" and not (slash and kind and name and set(kind + name) <= _TOKEN_CHARACTERS and len(one) < 100):
            raise ValueRefused(f"{shown(one)} is not a media type such as text/css, nor *")
    if len(found) > 100:
        raise ValueRefused("there are more than 100 types")
    return found


@dataclass(frozen=True, slots=True)
class Compression:
    """Answers that HAProxy compresses for clients that ask for it."""

    use_gzip: bool = global_setting(
        "use-gzip",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="Answers with status 200 only.",
        doc="`true` compresses answers of `gzip-types`.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("filter compression",),
    )
    gzip_level: int = global_setting(
        "gzip-level",
        whole(1, 9),
        default=1,
        doc="How hard gzip tries.",
        accepts=("5",),
        refuses=("0", "10"),
        haproxy=("tune.comp.maxlevel",),
    )
    gzip_types: tuple[str, ...] = global_setting(
        "gzip-types",
        media_types,
        default=GZIP_TYPES,
        doc="Which types are compressed; text/html always, `*` for all.",
        accepts=("text/css application/json", "*"),
        refuses=("text", "text/css; } x", "a/b\x00"),
        haproxy=("compression type",),
    )
    gzip_min_length: str = idle_setting(
        "gzip-min-length", "Smaller answers stay as they are.", "HAProxy 2.8 knows no smallest length."
    )
    gzip_disable: str = global_setting(
        "gzip-disable",
        agents,
        default="",
        doc="User-Agents that get nothing compressed: a regular expression, in any case; `msie6` for Internet Explorer 4 to 6.",
        support=Support.PARTIAL,
        differs="Pods do not see that such a client takes compressed answers, and so do not compress either.",
        accepts=("msie6", "Mozilla/4[.]"),
        refuses=("a\x00b", "x" * 300, "\n"),
        haproxy=("http-request del-header",),
    )
    use_brotli: bool = global_setting(
        "enable-brotli",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="HAProxy has no brotli: it switches gzip on instead.",
        doc="`true` compresses answers.",
        accepts=("true",),
        refuses=("on",),
    )
    brotli_level: str = idle_setting("brotli-level", "How hard brotli tries.", "HAProxy has no brotli.")
    brotli_min_length: str = idle_setting("brotli-min-length", "The smallest answer.", "HAProxy has no brotli.")
    brotli_types: str = idle_setting("brotli-types", "Which types.", "HAProxy has no brotli; `gzip-types` counts.")
