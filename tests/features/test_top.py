"""`remora top` and watching in a real terminal: what is drawn, what keys do, and that the terminal is as it was afterwards."""

import json
import re
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.errors import RemoraError
from remora.observe.session_report import PodReport, ServiceReport, SessionReport
from remora.observe.traffic_report import PodState, PodTraffic, ProxyTraffic, RouteTraffic, TrafficReport
from tests.support.pty_terminal import ENTER, LEAVE, SHOW_CURSOR, PtyProgram, program

REMORA = str(Path(sys.executable).parent / "remora")
SESSIONS = SessionReport((ServiceReport("shop", "web", "all", 4, (PodReport("web-a", "active", 4, 1),), {}),))
PODS: tuple[tuple[str, int, PodState], ...] = (("a", 4, "ready"), ("b", 9, "draining"), ("c", 1, "not ready"))


class FakeController:
    """A health port that tells of 30 routes and 3 pods; every report is a second later, and ten requests further."""

    def __init__(self) -> None:
        self.number = 0
        self.is_broken = False
        controller = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b"away" if controller.is_broken else controller.answer(self.path)
                self.send_response(503 if controller.is_broken else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str) -> bytes:
        if path.startswith("/sessions"):
            return msgspec.json.encode(SESSIONS)
        self.number += 1
        count = 10 * self.number
        return msgspec.json.encode(
            TrafficReport(
                at=1000.0 + self.number,
                uptime=3600.0,
                replica="remora-1",
                proxy=ProxyTraffic("2.8.25", 7, 1.0, 1, 0, 12),
                routes=tuple(
                    RouteTraffic(
                        str(one),
                        f"host-{one:02}.example",
                        "/",
                        "Prefix",
                        "shop",
                        "web",
                        "forward",
                        "web",
                        "80",
                        requests={"200": count},
                    )
                    for one in range(30)
                ),
                pods=tuple(
                    PodTraffic("shop", "web", "80", f"web-{name}", "10.0.0.1", "n", state, sessions=number, requests=count)
                    for name, number, state in PODS
                ),
            )
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def controller() -> Iterator[FakeController]:
    made = FakeController()
    yield made
    made.close()


def command(controller: FakeController, *more: str) -> list[str]:
    return [REMORA, "top", "--controller", controller.url, "--interval", "0.2", *more]


def is_as_before(terminal: PtyProgram) -> bool:
    end = terminal.output.rindex(LEAVE)
    return terminal.modes == terminal.modes_before and SHOW_CURSOR in terminal.output and ENTER not in terminal.output[end:]


def test_keys_do_what_help_says_and_q_leaves_the_terminal_as_it_was(controller: FakeController) -> None:
    with program(command(controller)) as terminal:
        frame = terminal.wait_for("10.0")
        assert len(frame) == 24
        assert any(line.startswith("300.0 requests/s") for line in frame)
        assert any(line.startswith("host-00.example") for line in frame)
        terminal.type("?")
        terminal.wait_for("sort by the next column")
        terminal.type("x")
        terminal.wait_for("1-16 of 30")
        terminal.type("jj\x1b[B")
        terminal.wait_for("4-19 of 30")
        terminal.type("G")
        terminal.wait_for("15-30 of 30")
        terminal.type("/host-07\r")
        terminal.wait_for("1-1 of 1")
        terminal.type("\x1b")
        terminal.wait_for("of 30")
        terminal.type("\ts")
        frame = terminal.wait_for("by sessions")
        rows = [line.split()[0] for line in frame if line.startswith("web-")]
        assert rows == ["web-b", "web-a", "web-c"]
        assert b"\x1b[33mdraining" in terminal.output
        assert b"\x1b[31mnot ready" in terminal.output
        terminal.resize(40, 12)
        frame = terminal.wait_for("CONN", absent=True)
        assert max(map(len, frame)) <= 40
        assert len(frame) == 12
        terminal.type("q")
        assert terminal.wait() == 0
        assert is_as_before(terminal)


@pytest.mark.parametrize(("ending", "code"), [("\x03", 0), (signal.SIGTERM, 143)])
def test_however_it_ends_the_terminal_is_as_it_was(controller: FakeController, ending: str | int, code: int) -> None:
    with program(command(controller)) as terminal:
        terminal.wait_for("10.0")
        assert terminal.modes != terminal.modes_before
        if isinstance(ending, str):
            terminal.type(ending)
        else:
            terminal.signal(ending)
        assert terminal.wait() == code
        assert is_as_before(terminal)


def test_a_controller_that_goes_is_said_and_waited_for_and_no_colour_is_none(controller: FakeController) -> None:
    with program(command(controller), NO_COLOR="1") as terminal:
        terminal.wait_for("10.0")
        controller.is_broken = True
        terminal.wait_for("trying again")
        controller.is_broken = False
        terminal.wait_for("trying again", absent=True)
        assert not re.search(rb"\x1b\[(1|2|3\d|7)m", terminal.output)
        terminal.type("q")
        assert terminal.wait() == 0


def test_sessions_are_watched_in_place_until_ctrl_c(controller: FakeController) -> None:
    with program([REMORA, "sessions", "--watch", "--controller", controller.url]) as terminal:
        terminal.wait_for("web-a")
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert SHOW_CURSOR in terminal.output
        assert b"Traceback" not in terminal.output


def test_once_is_a_table_and_documents_are_the_same_in_json_and_yaml(controller: FakeController) -> None:
    def run(*more: str) -> str:
        done = CliRunner().invoke(app, [*command(controller, "--once", *more)[1:]])
        assert done.exit_code == 0, done.output
        return done.stdout

    table = run()
    assert "\x1b" not in table
    assert sum(line.startswith("host-") for line in table.splitlines()) == 30
    in_json, in_yaml = json.loads(run("--output", "json")), yaml.safe_load(run("--output", "yaml"))
    assert in_json["pods"] == in_yaml["pods"]
    assert in_json["routes"][0]["rate"] == 10.0


def test_a_controller_that_is_not_there_at_first_is_an_error(controller: FakeController) -> None:
    controller.is_broken = True
    done = CliRunner().invoke(app, command(controller, "--once")[1:])
    assert isinstance(done.exception, RemoraError)
    assert "does not answer" in str(done.exception)
