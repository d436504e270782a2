"""The page of what changed, made from the pieces in `changes/`."""

from collections.abc import Mapping

_HEADER = """\
# What changed

Version 0.1.0 is the first, and nothing was released before it; these are the pieces that it was made in, the latest first.
(Made from `changes/`; `make docs` makes it anew.)
"""


def render_changes_page(pieces: Mapping[int, str]) -> str:
    """The page, in Markdown. `pieces` is text by number."""
    return _HEADER + "".join(f"\n## Piece {number}\n\n{pieces[number].strip()}\n" for number in sorted(pieces, reverse=True))
