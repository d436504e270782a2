"""What is wrong in an object, as a value that travels with the model.

A Problem never stops the loop and never harms another object. It comes out as an Event, a metric and a log line.
"""

from enum import Enum

import msgspec

from remora.core.names import ObjectRef


class Severity(Enum):
    """How much a Problem costs the one who wrote the object."""

    WARNING = "warning"
    """Something was ignored or replaced by a default; the object is served."""

    ERROR = "error"
    """A part of the object is not served as written."""


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong with one field of one object.

    `code` is a stable CamelCase word for machines (an Event's reason); `message` says what was found and what would be
    right; `consequence` says what is done instead.
    """

    object: ObjectRef
    field: str
    code: str
    message: str
    consequence: str
    severity: Severity = Severity.WARNING

    def __str__(self) -> str:
        return f"{self.object}: {self.field}: {self.message}; {self.consequence}"
