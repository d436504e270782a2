"""What a plan says of one flag, Helm value, ConfigMap key or port: a row of its tables."""

import msgspec

from remora.report.findings import Verdict

ORDER = (Verdict.HONOURED, Verdict.WITHOUT_EFFECT, Verdict.DIFFERENT, Verdict.UNKNOWN, Verdict.REFUSED)
"""From nothing to think about to the most."""

WORDS = {
    Verdict.HONOURED: "stays",
    Verdict.DIFFERENT: "differs",
    Verdict.WITHOUT_EFFECT: "without effect",
    Verdict.UNKNOWN: "unknown",
    Verdict.REFUSED: "refused",
}


class Row(msgspec.Struct, frozen=True):
    """One thing that the old controller was told. `kind` is `flag`, `helm`, `configmap`, `tcp` or `udp`."""

    kind: str
    name: str
    value: str
    verdict: Verdict
    note: str = ""


def worst(verdicts: "tuple[Verdict, ...]") -> Verdict:
    """The one to look at first."""
    return max(verdicts, key=ORDER.index, default=Verdict.HONOURED)
