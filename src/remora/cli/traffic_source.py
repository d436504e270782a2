"""Asks controllers for their traffic."""

import msgspec

from remora.cli.health_ports import HealthPorts
from remora.core.errors import RemoraError
from remora.observe.traffic_report import TrafficReport, merged


async def fetch_traffic(ports: HealthPorts) -> tuple[TrafficReport, tuple[str, ...]]:
    """What the controllers say together, and who did not answer and why.

    Raises:
        RemoraError: there is none, or none of them answers.
    """
    answers = await ports.ask("/traffic", {}, of_several={"digests": "1"})
    return merged([_parse(body, who) for who, body in answers.bodies]), answers.notes


def _parse(body: bytes, who: str) -> TrafficReport:
    try:
        return msgspec.json.decode(body, type=TrafficReport)
    except msgspec.MsgspecError as error:
        raise RemoraError(f"{who}: the answer tells no traffic: {error}") from error
