"""Asks controllers for their sessions."""

import msgspec

from remora.cli.health_ports import Whom, health_ports
from remora.core.errors import RemoraError
from remora.observe.session_report import SessionQuestion, SessionReport, merged

SessionSource = Whom


class Told(msgspec.Struct, frozen=True):
    """What controllers said together, how many said it, and who did not and why."""

    report: SessionReport
    controllers: int = 1
    notes: tuple[str, ...] = ()


async def fetch_sessions(source: Whom, question: SessionQuestion) -> Told:
    """What the controllers say.

    Raises:
        RemoraError: there is none, or none of them answers.
    """
    query = {name: text for name, text in msgspec.structs.asdict(question).items() if text}
    async with health_ports(source) as ports:
        # Only what several say has to be told session by session.
        answers = await ports.ask("/sessions", query, of_several={"digests": "1"})
    reports = [_parse(body, who) for who, body in answers.bodies]
    return Told(merged(reports), len(reports), answers.notes)


def _parse(body: bytes, who: str) -> SessionReport:
    try:
        return msgspec.json.decode(body, type=SessionReport)
    except msgspec.MsgspecError as error:
        raise RemoraError(f"{who}: the answer tells no sessions: {error}") from error
