"""What becomes of the flags of ingress-nginx: a row for each, and the flags that Remora is given."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.migrate.rows import Row
from remora.report.findings import Verdict

Flags = Mapping[str, str]
"""Values by name without dashes; "true" for a boolean that stands alone."""


class KnownFlag(msgspec.Struct, frozen=True):
    """A flag of `remora controller`. `complain` says what is wrong with a value, or ""."""

    is_boolean: bool
    has_effect: bool
    help: str
    complain: Callable[[str], str]


_NOTES: dict[str, tuple[Verdict, str]] = {
    "watch-namespace-selector": (Verdict.REFUSED, "name one namespace with --watch-namespace, or follow all"),
    "publish-service": (Verdict.HONOURED, "the entry Service; Ingresses keep its address"),
    "election-id": (Verdict.DIFFERENT, "Remora elects by a Lease of its own, so that the two do not exclude each other"),
    "udp-services-configmap": (Verdict.REFUSED, "HAProxy forwards no UDP; lead it past with a Service of its own"),
    "validating-webhook": (Verdict.DIFFERENT, "deploy/webhook.yaml has Remora's own, after the switch"),
    "validating-webhook-certificate": (Verdict.DIFFERENT, "see validating-webhook"),
    "validating-webhook-key": (Verdict.DIFFERENT, "see validating-webhook"),
    "configmap": (Verdict.HONOURED, "its keys are judged one by one; a copy is written for Remora"),
    "tcp-services-configmap": (Verdict.HONOURED, "a copy is written for Remora"),
    "kubeconfig": (Verdict.DIFFERENT, "Remora uses the account of its pod"),
    "v": (Verdict.HONOURED, "2 and more is for debugging"),
    "session-cookie-format": (Verdict.HONOURED, ""),
}
_NOT_CARRIED = frozenset(
    (
        "watch-namespace-selector", "election-id", "udp-services-configmap", "validating-webhook",
        "validating-webhook-certificate", "validating-webhook-key", "kubeconfig", "configmap", "tcp-services-configmap",
        "publish-service",
    )
)  # fmt: skip
"""Flags that the written manifests give otherwise, or not at all."""


def parse_arguments(arguments: Sequence[str], known: Mapping[str, KnownFlag]) -> dict[str, str]:
    """The flags of a container's command line; words that are none, such as the program, are passed over."""
    found: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            is_boolean = name not in known or known[name].is_boolean
            value = "true" if is_boolean else next(words, "")
        found[name] = value
    return found


def flag_rows(flags: Flags, known: Mapping[str, KnownFlag]) -> Iterator[Row]:
    """A row for each flag that was given."""
    for name, value in flags.items():
        verdict, note = _judge(name, value, known)
        yield Row("flag", f"--{name}", value, verdict, note)


def _judge(name: str, value: str, known: Mapping[str, KnownFlag]) -> tuple[Verdict, str]:
    flag = known.get(name)
    if flag is None:
        return Verdict.UNKNOWN, "Remora has no such flag, and refuses to start with it; it is left out"
    if not flag.has_effect:
        return Verdict.WITHOUT_EFFECT, "accepted; there is nothing in HAProxy that it would set"
    if complaint := flag.complain(value):
        return Verdict.REFUSED, complaint
    if name in _NOTES:
        return _NOTES[name]
    return Verdict.HONOURED, flag.help


def carried(flags: Flags, rows: Iterable[Row]) -> tuple[str, ...]:
    """The flags that Remora is given as they stand, in their order."""
    honoured = {row.name.removeprefix("--") for row in rows if row.kind == "flag" and row.verdict is Verdict.HONOURED}
    return tuple(f"--{name}={value}" for name, value in flags.items() if name in honoured and name not in _NOT_CARRIED)
