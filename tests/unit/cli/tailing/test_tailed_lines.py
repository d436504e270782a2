"""Which lines of a log are new, and how they are shown."""

import random
import re

import pytest

from remora.cli.tailing.choice import Choice, Source, end_of, instance_of, sources_of
from remora.cli.tailing.lines import KNOWN, LONGEST, Line, Shown, Splitter
from remora.cli.tailing.look import Look, TailOutput, colour_of
from remora.cli.tailing.run import parse_since
from remora.kube.objects.meta import ObjectMeta
from remora.kube.objects.running_pod import (
    Container,
    ContainerState,
    ContainerStatus,
    PodSpec,
    Running,
    RunningPod,
    Terminated,
    Waiting,
)

WEB = Source("shop", "web-0", "uid", "app")


def at(second: int, fraction: str, message: str) -> bytes:
    return f"2026-01-01T00:00:{second:02}.{fraction}Z {message}".encode()


def messages(shown: Shown, *texts: bytes) -> list[bytes]:
    return [line.message for text in texts if (line := shown.news(text))]


def test_a_log_read_again_from_its_last_second_repeats_nothing_and_loses_nothing() -> None:
    lines = [at(1, "5", "a"), at(2, "1", "b"), at(2, "1", "b"), at(2, "2", "c"), at(2, "3", "d"), at(3, "1", "e")]
    for cut in range(len(lines) + 1):
        shown = Shown()
        found = messages(shown, *lines[:cut])
        since = shown.since[:19].encode()
        shown.begin_again()
        found += messages(shown, *(line for line in lines if line[:19] >= since))
        assert found == [b"a", b"b", b"b", b"c", b"d", b"e"]


def test_a_line_that_is_older_than_one_already_shown_is_new_if_it_comes_for_the_first_time() -> None:
    shown = Shown()
    assert messages(shown, at(2, "2", "from stdout"), at(2, "1", "from stderr")) == [b"from stdout", b"from stderr"]
    shown.begin_again()
    again = [at(2, "2", "from stdout"), at(2, "1", "from stderr"), at(2, "15", "a late one")]
    assert messages(shown, *again) == [b"a late one"]


def test_the_zone_of_the_node_is_kept_in_the_place_to_read_again_from() -> None:
    shown = Shown()
    shown.news(b"2026-01-01T10:00:00.123+02:00 a")
    assert shown.since == "2026-01-01T10:00:00+02:00"


def test_what_has_no_time_is_shown_as_it_is() -> None:
    assert Shown().news(b"unable to retrieve container logs") == Line(b"", b"unable to retrieve container logs")


def test_a_flood_within_a_second_costs_bounded_memory_and_repeats_nothing() -> None:
    shown = Shown()
    flood = [at(1, f"{number:09}", "x") for number in range(KNOWN + 10)]
    assert len(messages(shown, *flood)) == KNOWN + 10
    shown.begin_again()
    assert messages(shown, *flood, at(1, f"{KNOWN + 10:09}", "next")) == [b"next"]


def test_lines_are_found_however_their_bytes_arrive() -> None:
    text, place = b"one\n\ntwo and a half\nrest", random.Random(7)
    for _ in range(50):
        cuts = sorted(place.sample(range(len(text)), 3))
        splitter = Splitter()
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert [line for piece in pieces for line in splitter.feed(piece)] == [b"one", b"", b"two and a half"]
        assert list(splitter.flush()) == [b"rest"]


def test_of_a_line_without_end_only_the_beginning_is_kept() -> None:
    splitter = Splitter()
    for _ in range(10):
        assert list(splitter.feed(b"x" * LONGEST)) == []
    (line,) = splitter.feed(b"\n")
    assert line == b"x" * LONGEST + b" ... (%d bytes more)" % (9 * LONGEST)


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (Look(), b"[web-0] hello\n"),
        (Look(timestamps=True), b"[web-0] 2026-01-01T00:00:01Z hello\n"),
        (Look(namespaces=True), b"[shop/web-0] hello\n"),
        (Look(output=TailOutput.RAW, colour=True, timestamps=True), b"2026-01-01T00:00:01Z hello\n"),
        (
            Look(output=TailOutput.JSON, colour=True),
            b'{"namespace":"shop","pod":"web-0","container":"app","timestamp":"2026-01-01T00:00:01Z","message":"hello"}\n',
        ),
    ],
)
def test_a_line_is_shown_as_asked(look: Look, text: bytes) -> None:
    assert look.render(WEB, Line(b"2026-01-01T00:00:01Z", b"hello")) == text


def test_a_container_is_named_where_its_pod_has_several() -> None:
    assert Look().name(Source("shop", "web-0", "uid", "app", is_alone=False)) == "[web-0 app]"


def test_a_pod_has_one_colour_and_never_red() -> None:
    other = Source("shop", "web-0", "another uid", "sidecar")
    assert colour_of(WEB) == colour_of(other)
    assert Look(colour=True).name(WEB) == f"\033[{colour_of(WEB)}m[web-0]\033[0m"
    assert {colour_of(Source("shop", f"web-{n}", "", "")) for n in range(200)} & {31, 91} == set()


def test_a_pod_may_colour_its_lines_and_do_nothing_else_to_the_terminal() -> None:
    nasty = b"\x1b[31mred\x1b[2J\x1b]0;title\x07 \xc2\x9b2J\rover\ttab"
    shown = Look(terminal=True).render(WEB, Line(b"", nasty))
    assert shown == b"[web-0] \x1b[31mred^[[2J^[]0;title^G 2Jover\ttab\x1b[0m\n"
    assert Look().render(WEB, Line(b"", nasty)) == b"[web-0] " + nasty + b"\n"


def test_lines_are_chosen_by_what_is_and_what_is_not_in_them() -> None:
    look = Look(only=(re.compile("error"), re.compile("warn")), never=(re.compile("health"),))
    texts = [b"an error", b"a warning", b"an error of /healthz", b"fine"]
    assert [text for text in texts if look.takes(Line(b"", text))] == [b"an error", b"a warning"]


def pod(name: str = "web-0") -> RunningPod:
    spec = PodSpec(containers=(Container("app"), Container("proxy")), init_containers=(Container("init-app"),))
    return RunningPod(ObjectMeta(name, "shop", "uid"), spec)


@pytest.mark.parametrize(
    ("pods", "containers", "initial", "names"),
    [
        ("web", "", False, ["app", "proxy"]),
        ("web", "app", True, ["init-app", "app"]),
        ("web", "^app$", True, ["app"]),
        ("^eb", "", False, []),
    ],
)
def test_containers_are_chosen_by_patterns(pods: str, containers: str, initial: bool, names: list[str]) -> None:
    choice = Choice(re.compile(pods), re.compile(containers), initial)
    found = list(sources_of(pod(), choice))
    assert [one.container for one in found] == names
    assert all(one.is_alone is (len(names) == 1) for one in found)


def test_a_container_has_a_log_once_it_has_run() -> None:
    ended = ContainerState(terminated=Terminated(3, "Error"))
    waiting = ContainerState(waiting=Waiting("CrashLoopBackOff"))
    assert instance_of(None) is None
    assert instance_of(ContainerStatus("app", state=waiting)) is None
    running = instance_of(ContainerStatus("app", container_id="a", state=ContainerState(running=Running())))
    assert running is not None
    assert not running.is_over
    between = ContainerStatus("app", container_id="a", restart_count=1, state=waiting, last_state=ended)
    over = instance_of(between)
    assert over is not None
    assert over.is_over
    assert end_of(between) == "Error, exit code 3"


def test_times_are_whole_seconds_for_the_api_server() -> None:
    assert [parse_since(text) for text in ("90s", "10m", "1d", "1h30m", "0.2")] == [90, 600, 86400, 5400, 1]
    with pytest.raises(ValueError, match="a number of seconds"):
        parse_since("soon")
