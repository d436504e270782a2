"""Local clusters of this user: those that run, hang, or ended without putting things in order."""

from collections.abc import Iterator

import msgspec

from remora.report.doctor.finding import Finding, ok, problem, warning

_SHOWN = 5


class ProfileFacts(msgspec.Struct, frozen=True):
    """A profile. `pid` runs it, 0 if nobody does; `leftovers` are processes of it that are there although nobody runs it."""

    name: str
    directory: str
    pid: int = 0
    answers: bool = False
    leftovers: tuple[int, ...] = ()
    unreadable: str = ""


def judge_profile(facts: ProfileFacts) -> Iterator[Finding]:
    """How a profile is."""
    option = "" if facts.name == "default" else f" --profile {facts.name}"
    name = f"profile {facts.name}"
    if facts.unreadable:
        todo = f"remove the folder {facts.directory}; what it keeps is lost"
        yield problem("profiles", f"{name} cannot be read", facts.unreadable, todo)
    elif facts.pid and not facts.answers:
        why = f"process {facts.pid} holds its lock, and its API server does not answer"
        todo = f"wait if it starts or ends just now; else `remora down{option}`, then `kill -9 {facts.pid}`"
        yield problem("profiles", f"{name} hangs", why, todo)
    elif facts.pid:
        yield ok("profiles", f"{name} runs (pid {facts.pid})")
    elif facts.leftovers:
        shown = ", ".join(map(str, facts.leftovers[:_SHOWN]))
        rest = f" and {len(facts.leftovers) - _SHOWN} more" if len(facts.leftovers) > _SHOWN else ""
        why = f"processes {shown}{rest} of it go on: it was killed, or its machine's session ended"
        yield warning("profiles", f"{name} ended without its pods", why, f"`remora up{option}` takes them over")
    else:
        yield ok("profiles", f"{name} is down")
