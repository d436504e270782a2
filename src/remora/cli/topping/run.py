"""Reads traffic again and again, and shows it as the keys ask for."""

import asyncio
import os
import signal
import time

from remora.cli.health_ports import HealthPorts, Whom, health_ports
from remora.cli.render.look import has_colour
from remora.cli.render.watching import ending_in_order
from remora.cli.topping.choice import Choice, chosen_lines, parse_keys, pressed, within
from remora.cli.topping.draw import page_size, screen_lines
from remora.cli.topping.rates import View, view_of
from remora.cli.topping.screen import Keyboard, Screen, open_screen
from remora.cli.traffic_source import fetch_traffic
from remora.core.errors import RemoraError
from remora.observe.traffic_report import TrafficReport


class Reader:
    """Remembers the report before, of which rates are made."""

    def __init__(self, ports: HealthPorts) -> None:
        self._ports = ports
        self._before: TrafficReport | None = None
        self._after: TrafficReport | None = None

    async def read(self) -> tuple[View, str]:
        """What happens now, and who did not answer.

        Raises:
            RemoraError: nobody answers.
        """
        report, notes = await fetch_traffic(self._ports)
        # A controller makes a report once a second at most: the same one again is no news.
        if self._after is None or report.at > self._after.at or report.replica != self._after.replica:
            self._before, self._after = self._after, report
        assert self._after
        return view_of(self._before, self._after), "; ".join(notes)


async def read_once(whom: Whom, interval: float) -> View:
    """What happens within the interval from now on.

    Raises:
        RemoraError: nobody answers.
    """
    async with health_ports(whom) as ports:
        reader = Reader(ports)
        await reader.read()
        view = None
        while view is None or view.rate is None:
            # The first report may be one that somebody else has asked for.
            await asyncio.sleep(interval if view is None else 0.2)
            view, _ = await reader.read()
        return view


async def run_screen(whom: Whom, interval: float) -> int:
    """Shows it until the person or a signal ends it; the exit code.

    Raises:
        RemoraError: nobody answers at first.
    """
    async with health_ports(whom) as ports:
        reader = Reader(ports)
        view, notes = await reader.read()
        keys = Keyboard()
        with ending_in_order(), open_screen(keys) as screen:
            return await Top(screen, reader, view, notes, interval).run(keys.descriptor)


class Top:
    """One run on one screen."""

    def __init__(self, screen: Screen, reader: Reader, view: View, trouble: str, interval: float) -> None:
        self._screen = screen
        self._reader = reader
        self._view = view
        self._trouble = trouble
        self._interval = interval
        self._choice = Choice()
        self._news = asyncio.Event()
        self._code: int | None = None

    async def run(self, descriptor: int | None) -> int:
        """Goes on until it is ended."""
        loop = asyncio.get_running_loop()
        endings = {signal.SIGINT: 0, signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGHUP: 128 + signal.SIGHUP}
        for number, code in endings.items():
            loop.add_signal_handler(number, self._end, code)
        loop.add_signal_handler(signal.SIGWINCH, self._news.set)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        if descriptor is not None:
            loop.add_reader(descriptor, self._take_keys, descriptor)
        reading = asyncio.create_task(self._read_on())
        try:
            while self._code is None:
                self._news.clear()
                self._draw()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait((news, reading), return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    await reading
            return self._code
        finally:
            reading.cancel()
            if descriptor is not None:
                loop.remove_reader(descriptor)
            for number in (*endings, signal.SIGWINCH, signal.SIGTSTP):
                loop.remove_signal_handler(number)

    async def _read_on(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                self._view, self._trouble = await self._reader.read()
            except RemoraError as error:
                self._trouble = str(error)
            self._news.set()

    def _draw(self) -> None:
        width, height = self._screen.size
        lines = screen_lines(
            self._view,
            self._choice,
            width=width,
            height=height,
            now=time.time(),
            colour=has_colour(),
            trouble=self._trouble,
        )
        self._screen.show(lines)

    def _take_keys(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 1024)
        except OSError:
            data = b""
        if not data:
            self._end(128 + signal.SIGHUP)
            return
        page = page_size(self._screen.size[1])
        for key in parse_keys(data):
            moved = pressed(self._choice, key, page=page)
            self._choice = within(moved, len(chosen_lines(self._view, moved)), page)
        if self._choice.is_over:
            self._end(0)
        self._news.set()

    def _suspend(self) -> None:
        self._screen.suspend()
        self._news.set()

    def _end(self, code: int) -> None:
        self._code = code
        self._news.set()
