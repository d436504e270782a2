"""Sends spans to a collector in the background: in batches, from a bounded queue, and nobody waits for it."""

import asyncio
import logging
from collections import deque

import aiohttp

from remora.core.options import ProxyOptions
from remora.observe.spans import Span, encode_spans

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_OK = 300
_log = logging.getLogger(__name__)


class SpanExporter:
    """Takes spans from any thread."""

    def __init__(self) -> None:
        self._options = ProxyOptions()
        self._queue: deque[Span] = deque()
        self._is_failing = False
        self.sent = 0
        self.dropped = 0
        """Spans for which there was no room, or which the collector did not take."""

    @property
    def is_wanted(self) -> bool:
        return bool(self._options.otlp_collector_host)

    def tell(self, options: ProxyOptions) -> None:
        """Takes where to send, and how."""
        self._options = options

    def add(self, span: Span) -> None:
        """Takes a span, or drops it where too many wait."""
        if len(self._queue) >= self._options.otel_max_queuesize:
            self.dropped += 1
        else:
            self._queue.append(span)

    async def run(self) -> None:
        """Goes on for ever."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                await asyncio.sleep(self._options.otel_schedule_delay_millis / 1000)
                while self._queue:
                    await self._send(session)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        options = self._options
        size = min(len(self._queue), options.otel_max_export_batch_size)
        batch = [self._queue.popleft() for _ in range(size)]
        host = options.otlp_collector_host
        url = f"http://{f'[{host}]' if ':' in host else host}:{options.otlp_collector_port}/v1/traces"
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(url, data=encode_spans(batch, options), headers=headers) as answer:
                fault = "" if answer.status < _OK else f"it answers {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            fault = str(error) or type(error).__name__
        if fault:
            self.dropped += size
        else:
            self.sent += size
        if bool(fault) != self._is_failing:
            self._is_failing = bool(fault)
            (_log.warning if fault else _log.info)("spans are %s: %s", "lost" if fault else "taken again", fault or url)
