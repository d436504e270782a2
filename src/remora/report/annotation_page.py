"""The reference page of the annotations, made from their rows."""

from collections.abc import Iterable

from remora.annotations.declare import OnInvalid, Risk, Row, Support
from remora.annotations.registry import rows

_HEADER = """\
# Annotations

Every annotation that ingress-nginx declares or once did, and names that people write in vain, under
`nginx.ingress.kubernetes.io/` or the historic `ingress.kubernetes.io/`, and what Remora does with it. (Made from the rows in
`src/remora/annotations`; `make docs` makes it anew.)

- **Scope** is what a setting is attached to, and so where two Ingresses can disagree.
- **Refused** is what a value that cannot be read does: the *default* counts, or every route of the Ingress *closes* with 503.
- An annotation that guards access and cannot be honoured closes its routes, with an Event: they are never served without their
  guard. `false`, `0` and their like ask for nothing and close nothing.
"""

_TITLES = {
    Support.FULL: "Honoured",
    Support.PARTIAL: "Honoured with a difference",
    Support.WITHOUT_EFFECT: "Without effect",
    Support.UNREAD: "Not read by ingress-nginx, any more or ever",
    Support.REFUSED: "Closes its routes",
}


def render_annotation_page() -> str:
    """The page, in Markdown."""
    named = [row for row in rows() if row.name]
    parts = [_HEADER]
    for support, title in _TITLES.items():
        lines = list(_table([row for row in named if row.support is support], support))
        parts.append(f"## {title} ({len(lines) - 2})\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(found: Iterable[Row], support: Support) -> Iterable[str]:
    if support is Support.UNREAD:
        yield "| annotation | what became of it | instead |"
        yield "| --- | --- | --- |"
        for row in found:
            yield f"| {_name(row)} | {_cell(row.doc)} | {_cell(row.differs)} |"
        return
    if support is Support.REFUSED:
        yield "| annotation | meaning | why |"
        yield "| --- | --- | --- |"
        for row in found:
            yield f"| {_name(row)} | {_cell(row.doc)} | {_cell(row.differs)} |"
        return
    yield "| annotation | meaning | default | scope | risk | refused | examples |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in found:
        refused = "closes" if row.on_invalid is OnInvalid.DENY else "default"
        meaning = f"{row.doc} {row.differs}".strip()
        examples = ", ".join(f"`{text.strip()}`" for text in row.accepts[:2])
        cells = (_name(row), meaning, _default(row), row.scope.value, Risk(row.risk).name.lower(), refused, examples)
        yield f"| {' | '.join(_cell(cell) if cell else '-' for cell in cells)} |"


def _name(row: Row) -> str:
    aliases = "".join(f", also `{alias}`" for alias in row.aliases)
    key = f"; ConfigMap `{row.global_key}`" if row.global_key else ""
    return f"`{row.key('').lstrip('/')}`{aliases}{key}"


def _default(row: Row) -> str:
    if row.default in ("", None, ()):
        return ""
    if isinstance(row.default, tuple):
        return f"`{' '.join(map(str, row.default))}`"
    value = str(row.default).lower() if isinstance(row.default, bool) else str(getattr(row.default, "value", row.default))
    return f"`{value}`" if value else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
