"""What `remora check` finds: values, made by `check` and `settings`, shown by the command."""

from enum import Enum

import msgspec

from remora.annotations.declare import Support
from remora.annotations.registry import UNREAD
from remora.core.names import ObjectRef
from remora.report.manifests import Fault, Place


class Verdict(Enum):
    """What becomes of an annotation."""

    HONOURED = "honoured"
    DIFFERENT = "honoured with a difference"
    WITHOUT_EFFECT = "without effect"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Finding(msgspec.Struct, frozen=True):
    """What becomes of one annotation, or of another field in which something is wrong.

    `field` is the annotation's key or the field's path; `closes` says that routes answer 503 because of it;
    `code` is that of the Problem, where the field is no annotation, or one that nobody reads.
    """

    place: Place
    object: ObjectRef
    field: str
    verdict: Verdict
    value: str = ""
    reason: str = ""
    closes: bool = False
    code: str = ""

    @property
    def is_dropped(self) -> bool:
        """Whether somebody wrote it in vain: its name means nothing."""
        return self.verdict is Verdict.UNKNOWN or self.code == UNREAD


class Note(msgspec.Struct, frozen=True):
    """Something about a whole Ingress that its author may want to know, and that is not wrong."""

    place: Place
    object: ObjectRef
    message: str


class Report(msgspec.Struct, frozen=True):
    """All findings, in the order of the input. `faults` are what could not be read."""

    ingresses: int
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    faults: tuple[Fault, ...] = ()

    def counts(self) -> dict[Verdict, int]:
        """How many findings there are of each verdict."""
        return {verdict: sum(1 for one in self.findings if one.verdict is verdict) for verdict in Verdict}

    def is_refused(self, *, strict: bool) -> bool:
        """Whether something would not be served as written; strictly, whether anything is dropped."""
        return bool(self.faults) or any(
            one.closes or one.verdict is Verdict.REFUSED or (strict and one.is_dropped) for one in self.findings
        )


BY_SUPPORT = {
    Support.FULL: Verdict.HONOURED,
    Support.PARTIAL: Verdict.DIFFERENT,
    Support.WITHOUT_EFFECT: Verdict.WITHOUT_EFFECT,
    Support.UNREAD: Verdict.WITHOUT_EFFECT,
}
