"""Names on the command line."""

from remora.core.errors import UsageError
from remora.core.names import NamespacedName


def parse_name(text: str, option: str) -> NamespacedName:
    """`namespace/name`, given with an option.

    Raises:
        UsageError: it is something else.
    """
    try:
        return NamespacedName.parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error
