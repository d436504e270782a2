"""Logging, configured once: lines for people, or JSON objects for programs."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(log_format: LogFormat, *, verbose: bool) -> None:
    """Sends all logs to stderr."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(
        JsonFormatter() if log_format is LogFormat.JSON else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s")
    )
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[output], force=True)
    for library in ("aiohttp.access", "asyncio", "kubernetes_asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
