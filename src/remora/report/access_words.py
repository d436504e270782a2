"""Who may come in, in words. Pure, and without a hash or a name of anybody."""

from collections.abc import Iterator

from remora.model import Access

_SHOWN = 8
"""Networks of a list that are shown."""


def access_words(access: Access) -> Iterator[str]:
    """A line for each thing that a request must satisfy."""
    if access.deny:
        yield f"403 for the addresses {_some(access.deny)}"
    if access.allow is not None:
        yield f"{'enough is' if access.satisfies_any else '403 but for'} an address of {_some(access.allow) or 'none'}"
    if login := access.login:
        count = f"{len(login.users)} {'name' if len(login.users) == 1 else 'names'}"
        word = "enough is" if access.satisfies_any else "401 without"
        yield f"{word} a name and a password: {login.scheme.value}, realm {login.realm!r}, {count}"
    if access.satisfies_any:
        yield "any party that grants access is enough"


def _some(networks: tuple[str, ...]) -> str:
    more = len(networks) - _SHOWN
    return ", ".join(networks[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
