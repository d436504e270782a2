"""Log lines in the format of container runtimes."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.kubelet.loglines import LONGEST, Splitter, render_line, render_stamp, tail_offset
from remora.cluster.kubelet.logs import Log, read_log, rotated

STAMP = b"2026-05-01T12:00:00.000000001Z"


def _lines(*parts: bytes) -> list[bytes]:
    splitter = Splitter("stdout")
    found = [line for part in parts for line in splitter.feed(part, STAMP)]
    return [*found, *splitter.flush(STAMP)]


def test_a_line_carries_time_stream_and_tag() -> None:
    assert _lines(b"one\ntw", b"o\nend") == [STAMP + b" stdout F one\n", STAMP + b" stdout F two\n", STAMP + b" stdout P end\n"]


@given(st.binary(max_size=300), st.integers(1, 40))
def test_what_was_printed_comes_out_again(text: bytes, size: int) -> None:
    text = text * 300
    parts = [text[start : start + size * 1000] for start in range(0, len(text), size * 1000)]
    lines = _lines(*parts)
    assert all(len(line) <= LONGEST + len(STAMP) + 11 for line in lines)
    assert b"".join(render_line(line[:-1]) for line in lines) == text


def test_stamp_has_nanoseconds() -> None:
    assert render_stamp(1_777_636_800_000_000_001) == STAMP


def test_older_lines_are_left_out_and_stamps_are_shown_on_request() -> None:
    line = STAMP + b" stderr F text"
    assert render_line(line, since=render_stamp(1_777_636_801_000_000_000)) == b""
    assert render_line(line, timestamps=True) == STAMP + b" text\n"
    assert render_line(b"torn") == b""


@given(st.lists(st.sampled_from([b"a\n", b"bb\n", b"\n"]), max_size=20), st.integers(0, 25))
def test_tail_is_the_last_lines(lines: list[bytes], wanted: int) -> None:
    data = b"".join(lines)
    offset = tail_offset(data, wanted)
    if offset is None:
        assert wanted >= len(lines)
    else:
        assert data[offset:] == b"".join(lines[len(lines) - wanted :])


async def test_tail_goes_back_into_the_rotated_file(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    rotated(path).write_bytes(b"".join(b"%s stdout F %d\n" % (STAMP, number) for number in range(5)))
    path.write_bytes(b"".join(b"%s stdout F %d\n" % (STAMP, number) for number in range(5, 8)))

    async def tail(lines: int | None) -> bytes:
        return b"".join([part async for part in read_log(path, tail_lines=lines)])

    assert await tail(4) == b"4\n5\n6\n7\n"
    assert await tail(2) == b"6\n7\n"
    assert await tail(0) == b""
    assert await tail(100) == await tail(None) == b"".join(b"%d\n" % number for number in range(8))


async def test_a_line_of_several_parts_has_one_time_in_front(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(_lines(b"x" * (2 * LONGEST + 1) + b"\nshort\n")))
    shown = b"".join([part async for part in read_log(path, timestamps=True)])
    assert shown == STAMP + b" " + b"x" * (2 * LONGEST + 1) + b"\n" + STAMP + b" short\n"


async def test_log_is_rotated_at_its_bound_and_a_reader_keeps_up(tmp_path: Path) -> None:
    log = Log(tmp_path / "0.log")
    line = STAMP + b" stdout F " + b"x" * 999_960 + b"\n"
    log.append(line)
    reader = read_log(log.path, live=log)
    assert len(await anext(reader)) == 999_961
    for _ in range(14):
        log.append(line)
    log.finish()
    rest = [part async for part in reader]
    assert sum(map(len, rest)) == 14 * 999_961
    assert log.path.stat().st_size < 7_000_000
    assert rotated(log.path).exists()


async def test_who_does_not_follow_gets_what_there_was_however_fast_the_process_prints(tmp_path: Path) -> None:
    log = Log(tmp_path / "0.log")
    log.append(b"".join(b"%s stdout F %d\n" % (STAMP, number) for number in range(5)))
    shown = b""
    async for part in read_log(log.path, tail_lines=2):
        shown += part
        for number in range(5, 2000):
            log.append(b"%s stdout F %d\n" % (STAMP, number))
        if len(shown) > 100_000:
            break
    log.finish()
    assert shown == b"3\n4\n"


async def test_a_follower_keeps_one_file_open_through_all_rotations(tmp_path: Path) -> None:
    log = Log(tmp_path / "0.log")
    log.append(b"%s stdout F begin\n" % STAMP)
    reader = read_log(log.path, live=log)
    line = b"%s stdout F %s\n" % (STAMP, b"x" * 6_000_000)
    await anext(reader)
    for _ in range(4):
        log.append(line)
        got = 0
        while got < 6_000_000:
            got += len(await anext(reader))
    deleted = [path for fd in Path("/proc/self/fd").iterdir() if str(tmp_path) in (path := _meant(fd)) and "deleted" in path]
    log.finish()
    assert [part async for part in reader] == []
    assert deleted == []


def _meant(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""
