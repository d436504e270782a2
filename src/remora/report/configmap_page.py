"""The reference page of the controller's ConfigMap, made from the rows of its keys."""

from collections.abc import Iterable, Iterator
from enum import Enum

from remora.annotations.declare import Risk, Row, Support
from remora.annotations.registry import setting_rows

_HEADER = """\
# The controller's ConfigMap

Every key that ingress-nginx reads from the ConfigMap that `--configmap NAMESPACE/NAME` names, and what Remora does with it.
(Made from the rows in `src/remora/annotations`; `make docs` makes it anew.)

- Keys are compared without regard to case; a key with an empty text says nothing. A text that cannot be read is named in an
  Event of the ConfigMap, and the default counts; so is a key that nobody knows. The other keys count all the same.
- A change takes effect at once. What HAProxy's program depends on costs one reload, which fails no request; what it had before
  costs nothing. Without the ConfigMap all defaults count again (ingress-nginx keeps the last values until it is restarted).
- What is well-formed and yet not to be had (an address that is not ours, a cipher that OpenSSL does not know) keeps the value
  that HAProxy took last, with an Event, and all else goes on.
- A flag that was given goes before the key that says the same: `--threads` and `--bind-address`.
- Keys with the name of an annotation give the default for Ingresses that do not have it; see [annotations](annotations.md).
- What guards access and cannot be honoured closes every Ingress that does not say otherwise: it must never be served open.
"""

_TITLES = {
    Support.FULL: "Honoured",
    Support.PARTIAL: "Honoured with a difference",
    Support.WITHOUT_EFFECT: "Without effect",
    Support.REFUSED: "Closes everything",
}


def render_configmap_page() -> str:
    """The page, in Markdown."""
    parts = [_HEADER]
    for support, title in _TITLES.items():
        lines = list(_table([row for row in setting_rows() if row.support is support], support))
        parts.append(f"## {title} ({len(lines) - 2})\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(found: Iterable[Row], support: Support) -> Iterator[str]:
    if support in (Support.WITHOUT_EFFECT, Support.REFUSED):
        yield "| key | meaning | why |"
        yield "| --- | --- | --- |"
        for row in found:
            yield f"| `{row.global_key}` | {_cell(row.doc)} | {_cell(row.differs)} |"
        return
    yield "| key | meaning | default | examples |"
    yield "| --- | --- | --- | --- |"
    for row in found:
        meaning = f"{row.doc} {row.differs}".strip()
        examples = ", ".join(f"`{text.strip()}`" for text in row.accepts[:2])
        yield f"| `{row.global_key}` | {_cell(meaning)} | {_default(row)} | {_cell(examples)} |"


def _default(row: Row) -> str:
    value = row.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`" if value else ""
    if isinstance(value, Risk):
        return f"`{value.name.capitalize()}`"
    text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
