"""`remora sessions`: whom it asks and what it shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from remora.cli.options import Output
from remora.cli.render.sessions import notes, show_sessions, watch_sessions, whereabouts_lines
from remora.cli.session_source import SessionSource, Told, fetch_sessions
from remora.core.errors import RemoraError, UsageError
from remora.observe.session_report import PodReport, ServiceReport, SessionQuestion, SessionReport, Whereabouts
from remora.report.cookies import CookieFacts

PODS = (PodReport("web-a", "active", 3, 1), PodReport("web-b", "draining", 1, 0))
SERVICE = ServiceReport("shop", "web", "all", 4, PODS, {"gone": 2})
REPORT = SessionReport((SERVICE,))
PLACE = Whereabouts("shop", "web", "web-a", "active", 12.4)


@asynccontextmanager
async def controller(asked: list[Mapping[str, str]], body: bytes = msgspec.json.encode(REPORT)) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        return web.Response(body=body, status=200 if body else 503)

    application = web.Application()
    application.router.add_get("/sessions", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def shown(capsys: pytest.CaptureFixture[str], report: SessionReport, output: Output = Output.TEXT) -> tuple[str, str]:
    show_sessions(Told(report), output)
    captured = capsys.readouterr()
    return captured.out, captured.err


async def test_one_controller_is_asked_what_the_person_asked() -> None:
    asked: list[Mapping[str, str]] = []
    async with controller(asked) as url:
        told = await fetch_sessions(SessionSource(url), SessionQuestion(namespace="shop", service="web"))
    assert told.report == REPORT
    assert asked == [{"namespace": "shop", "service": "web"}]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"services": 1}'])
async def test_what_is_no_report_is_an_error_that_names_the_controller(body: bytes) -> None:
    async with controller([], body) as url:
        with pytest.raises(RemoraError, match=url):
            await fetch_sessions(SessionSource(url), SessionQuestion())


async def test_a_controller_without_a_scheme_is_a_mistake_of_the_person() -> None:
    with pytest.raises(UsageError, match="give the URL"):
        await fetch_sessions(SessionSource("127.0.0.1:10254"), SessionQuestion())


def test_every_pod_has_a_line_with_its_share(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, REPORT)
    assert [line.split() for line in out.splitlines()[1:3]] == [
        ["shop", "web", "web-a", "active", "3", "1", "75", "%"],
        ["shop", "web", "web-b", "draining", "1", "0", "25", "%"],
    ]
    assert out.splitlines()[5].split() == ["shop", "web", "2", "0", "0", "0", "0", "0"]
    assert err == ""


def test_what_is_not_tracked_is_unknown_and_it_says_how_to_switch_it_on(capsys: pytest.CaptureFixture[str]) -> None:
    untracked = ServiceReport("shop", "web", "none", None, (PodReport("web-a", "active"),), {})
    out, err = shown(capsys, SessionReport((untracked,)))
    assert out.splitlines()[1].split() == ["shop", "web", "web-a", "active", "-", "-", "-"]
    assert 'remora.io/session-tracking: "true"' in err


def test_json_is_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(capsys, REPORT, Output.JSON)[0])["services"][0]["pods"][0]["sessions"] == 3


def test_routes_that_track_in_part_are_named() -> None:
    partly = msgspec.structs.replace(SERVICE, tracking="some")
    assert [line.startswith("only some routes to shop/web") for line in notes(Told(SessionReport((partly,)), 2, ()))] == [True]


@pytest.mark.parametrize(
    ("cookie", "seen", "named", "words"),
    [
        (CookieFacts("d", "s"), (PLACE,), (PLACE,), ["session d", "pod web-a of Service shop/web (active)", "idle for 12 s"]),
        (CookieFacts("d", "s"), (), (), ["session d", "a pod that is gone", "on no pod"]),
        (CookieFacts("", "s"), (), (PLACE,), ["not tracked", "pod web-a"]),
        (CookieFacts(is_former=True), (), (), ["ingress-nginx"]),
        (CookieFacts(), (), (), ["none that Remora issues"]),
        (CookieFacts("d", "s"), (msgspec.structs.replace(PLACE, in_use=True),), (PLACE,), ["d", "web-a", "under way"]),
    ],
)
def test_one_session_is_told_step_by_step(
    cookie: CookieFacts, seen: tuple[Whereabouts, ...], named: tuple[Whereabouts, ...], words: list[str]
) -> None:
    lines = [text for _, text in whereabouts_lines(cookie, seen, named)]
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def test_a_controller_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RemoraError, match="does not answer"):
        asyncio.run(fetch_sessions(SessionSource("http://127.0.0.1:1"), SessionQuestion()))


def test_watching_says_so_while_there_are_none_and_nobody_is_told_of_all_who_asked_for_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports = iter([SessionReport(()), SessionReport((SERVICE,)), SessionReport(())])

    def fetch() -> Told:
        if (report := next(reports, None)) is None:
            raise KeyboardInterrupt
        return Told(report)

    watch_sessions(fetch, Output.TEXT, pause=0)
    first, *table, last = capsys.readouterr().out.strip().split("\n")
    assert first == last
    assert first.startswith("No Service has sessions here")
    assert any("web-a" in line for line in table)
    show_sessions(Told(SessionReport(())), Output.TEXT, everything=False)
    assert "of that name" in capsys.readouterr().err
