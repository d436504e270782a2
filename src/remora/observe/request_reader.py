"""Reads what HAProxy tells of requests, in threads of its own: for histograms, the access log and spans.

A thread may wait until somebody reads the controller's output, which the event loop must not. While it waits HAProxy's ring
keeps the lines, and loses others once it is full; requests never wait.
"""

import contextlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from remora.core.options import ProxyOptions
from remora.haproxy.features.counting import UNROUTED
from remora.model import Model, RouteId
from remora.observe.access_log import AccessLog
from remora.observe.request_durations import RequestDurations
from remora.observe.request_labels import RequestLabels, labels_of_requests
from remora.observe.request_line import ABSENT, RequestLine, parse_line
from remora.observe.span_exporter import SpanExporter
from remora.observe.spans import find_span

_CHUNK = 256 << 10
_SYSLOG_INFO = 134
"""`local0.info` (RFC 5424, section 6.2.1)."""

_log = logging.getLogger(__name__)


class RequestReader:
    """Takes lines from every worker of HAProxy that connects to the socket `path`."""

    def __init__(self, path: str, *, measures: bool, spans: SpanExporter, output: BinaryIO | None = None) -> None:
        self._path = Path(path)
        self._measures = measures
        self._spans = spans
        self._output = output or sys.stdout.buffer
        self._options: ProxyOptions | None = None
        self._access_log: AccessLog | None = None
        self._syslog: tuple[tuple[str, int], socket.socket] | None = None
        self._labels: Mapping[RouteId, RequestLabels] = {}
        self._model: Model | None = None
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.durations = RequestDurations()
        self.lines = 0
        self.unreadable = 0

    def tell(self, model: Model) -> None:
        """Takes what runs. Listens from the first time on that somebody wants to know of requests."""
        self._model = model
        self._spans.tell(model.options)
        if model.options != self._options:
            self._options = model.options
            self._access_log = AccessLog(model.options) if model.options.has_access_log else None
        wanted = self._measures or self._access_log is not None or self._spans.is_wanted
        if wanted and self._listener is None:
            self._listen()

    def _listen(self) -> None:
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), name="requests", daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self._close_syslog()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(connection,), name="requests", daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        rest = b""
        with connection:
            while True:
                try:
                    chunk = connection.recv(_CHUNK)
                except OSError:
                    return
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                with self._lock:
                    try:
                        self._take(lines)
                    except Exception:
                        _log.exception("an error of Remora itself; some requests are not told of")

    def _take(self, lines: list[bytes]) -> None:
        self._refresh_labels()
        written: list[str] = []
        now = time.time()
        for raw in lines:
            line = parse_line(raw.decode("latin-1"))
            if line is None:
                self.unreadable += 1
            else:
                self._take_one(line, written, now)
        self.lines += len(lines)
        if written:
            self._write(written)

    def _take_one(self, line: RequestLine, written: list[str], now: float) -> None:
        route = line.text("route")
        labels = self._labels.get(RouteId(route), _NOBODY)
        if self._measures:
            self.durations.tell(line, labels)
        log, options = self._access_log, self._options
        is_routed = route not in (UNROUTED, ABSENT) or (options and options.enable_access_log_for_default_backend)
        is_wanted = is_routed and labels.is_logged and line.text("quiet") == ABSENT
        if log and is_wanted and line.mark == log.mark:
            written.append(log.write(line, labels))
        if self._spans.is_wanted and (span := find_span(line, labels, now=now)):
            self._spans.add(span)

    def _refresh_labels(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            self._labels = labels_of_requests(model)
            self.durations.forget_others(frozenset((*self._labels.values(), _NOBODY)))

    def _write(self, lines: list[str]) -> None:
        options = self._options
        if options and options.enable_syslog and options.syslog_host:
            self._send_to_syslog(lines, (options.syslog_host, options.syslog_port))
            return
        with contextlib.suppress(OSError, ValueError):
            self._output.write("".join(lines).encode("utf-8", "replace"))
            self._output.flush()

    def _send_to_syslog(self, lines: list[str], address: tuple[str, int]) -> None:
        try:
            target = self._syslog_socket(address)
            for line in lines:
                target.send(f"<{_SYSLOG_INFO}>nginx: {line.rstrip()}".encode("utf-8", "replace"))
        except OSError as error:
            self._close_syslog()
            _log.debug("the syslog server is not reached: %s", error)

    def _syslog_socket(self, address: tuple[str, int]) -> socket.socket:
        if self._syslog is not None and self._syslog[0] == address:
            return self._syslog[1]
        self._close_syslog()
        family, kind, _, _, found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, kind)
        self._syslog = address, opened
        opened.connect(found)
        return opened

    def _close_syslog(self) -> None:
        if self._syslog is not None:
            self._syslog[1].close()
            self._syslog = None


_NOBODY = RequestLabels()
