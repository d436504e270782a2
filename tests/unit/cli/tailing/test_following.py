"""`remora tail` beside an API server that breaks off, forgets, restarts containers and takes its time."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from remora.cli.tailing.choice import Choice
from remora.cli.tailing.follow import GRACE, Beginning
from remora.cli.tailing.look import Look
from remora.cli.tailing.run import Wish, tail
from remora.core.errors import ApiServerRefused
from tests.support.logs import LogApi

PATIENCE = 30.0
WISH = Wish(choice=Choice(re.compile("web"), re.compile("")), look=Look(), namespace="default")


class Screen:
    """What was printed and said."""

    def __init__(self) -> None:
        self.text = b""
        self.said: list[str] = []

    @property
    def lines(self) -> list[str]:
        return self.text.decode().splitlines()

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        self.text += data


@asynccontextmanager
async def log_api() -> AsyncIterator[LogApi]:
    api = LogApi()
    await api.start()
    try:
        yield api
    finally:
        await api.stop()


@asynccontextmanager
async def tailing(api: LogApi, directory: Path, wish: Wish = WISH) -> AsyncIterator[Screen]:
    screen = Screen()
    task = asyncio.create_task(tail(reaching(api, directory, wish), follow=True, write=screen.write, say=screen.said.append))
    yield screen
    assert not task.done(), task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def reaching(api: LogApi, directory: Path, wish: Wish) -> Wish:
    kubeconfig = directory / "kubeconfig"
    config = {
        "clusters": [{"name": "a", "cluster": {"server": api.url}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {}}],
        "current-context": "a",
    }
    kubeconfig.write_bytes(msgspec.yaml.encode(config))
    return msgspec.structs.replace(wish, kubeconfig=str(kubeconfig))


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not met():
            await asyncio.sleep(0.01)


def at(second: int, message: str) -> str:
    return f"2026-01-01T00:00:{second:02}.5Z {message}"


async def test_a_broken_connection_costs_no_line_and_repeats_none(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0")
        api.print("web-0", at(1, "a"), at(1, "b"))
        async with tailing(api, tmp_path) as screen:
            for number in range(3):
                await until(lambda: len(screen.lines) == 2 + 2 * number)  # noqa: B023
                api.cut()
                api.print("web-0", at(1 + number, f"c{number}"), at(2 + number, f"d{number}"))
            await until(lambda: len(screen.lines) == 8)
            api.print("web-0", at(9, "last"))
            await until(lambda: "[web-0] last" in screen.lines)
        wanted = ["a", "b", "c0", "d0", "c1", "d1", "c2", "d2", "last"]
        assert screen.lines == [f"[web-0] {text}" for text in wanted]


async def test_a_restarted_container_goes_on_with_what_its_last_instance_had_left(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0")
        api.print("web-0", at(1, "a"))
        async with tailing(api, tmp_path) as screen:
            await until(lambda: screen.lines == ["[web-0] a"])
            api.print("web-0", at(1, "b"))
            api.pod("web-0", restarts=1)
            api.print("web-0", at(2, "c"), instance=1)
            await until(lambda: len(screen.lines) == 3)
            api.pod("web-0", restarts=2)
            api.print("web-0", at(3, "d"), instance=2)
            await until(lambda: len(screen.lines) == 4)
        assert screen.lines == ["[web-0] a", "[web-0] b", "[web-0] c", "[web-0] d"]
        assert screen.said == [
            "[web-0] is followed",
            "[web-0] restarted (Error, exit code 1), for the 1st time",
            "[web-0] restarted (Error, exit code 1), for the 2nd time",
        ]


async def test_pods_join_and_go_and_one_of_the_same_name_is_another(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0")
        api.pod("other")
        async with tailing(api, tmp_path, msgspec.structs.replace(WISH, beginning=Beginning(tail=0))) as screen:
            await until(lambda: bool(screen.said))
            api.print("web-1", at(1, "from its beginning"))
            api.pod("web-1")
            await until(lambda: len(screen.lines) == 1)
            api.remove("pods", "default", "web-1")
            await until(lambda: "[web-1] is gone" in screen.said)
            api.pod("web-1", uid="another")
            await until(lambda: screen.said.count("[web-1] joins") == 2)
            api.pod("web-1", uid="a third")
            await until(lambda: screen.said.count("[web-1] joins") == 3 and screen.said.count("[web-1] is gone") == 2)
        assert "other" not in " ".join(screen.said)


async def test_a_pod_that_goes_before_its_log_could_be_read_says_so_and_leaves_the_next_of_its_name_alone(
    tmp_path: Path,
) -> None:
    async with log_api() as api:
        api.pod("web-0")
        async with tailing(api, tmp_path, msgspec.structs.replace(WISH, limit=1)) as screen:
            await until(lambda: bool(screen.said))
            api.pod("web-1")
            await until(lambda: "[web-1] joins" in screen.said)
            api.print("web-1", at(1, "of the second"))
            api.pod("web-1", uid="the second")
            await until(lambda: "[web-1] is gone" in screen.said)
            api.remove("pods", "default", "web-0")
            await until(lambda: bool(screen.lines))
            await asyncio.sleep(0.5)
        assert screen.lines == ["[web-1] of the second"]


async def test_what_comes_of_a_log_after_its_pod_has_gone_is_shown(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0")
        api.print("web-0", at(1, "first"))
        async with tailing(api, tmp_path) as screen:
            await until(lambda: len(screen.lines) == 1)
            api.lingers = True
            api.remove("pods", "default", "web-0")
            for number in range(4):
                await asyncio.sleep(GRACE / 2)
                api.print("web-0", at(2 + number, f"late {number}"))
            await until(lambda: len(screen.lines) == 5)
            assert "[web-0] is gone" not in screen.said
            api.lingers = False
            await until(lambda: "[web-0] is gone" in screen.said)


async def test_an_api_server_that_forgets_or_is_away_is_asked_again(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0")
        port = int(api.url.rpartition(":")[2])
        async with tailing(api, tmp_path) as screen:
            await until(lambda: bool(screen.said))
            api.forget()
            api.pod("web-1")
            api.print("web-1", at(1, "after 410"))
            await until(lambda: "[web-1] after 410" in screen.lines)
            await api.stop()
            api.forget()
            await until(lambda: "note: the API server does not answer; going on as soon as it does" in screen.said)
            api.objects["pods"].pop(("default", "web-1"))
            api.print("web-0", at(2, "meanwhile"))
            await api.start(port)
            await until(lambda: "[web-0] meanwhile" in screen.lines)
            await until(lambda: {"note: the API server answers again", "[web-1] is gone"} <= set(screen.said))
        assert Counter(screen.lines) == {"[web-1] after 410": 1, "[web-0] meanwhile": 1}


async def test_no_more_logs_are_followed_at_a_time_than_the_limit_and_one_that_ends_makes_room(tmp_path: Path) -> None:
    async with log_api() as api:
        for number in range(5):
            api.pod(f"web-{number}")
            api.print(f"web-{number}", at(1, "hello"))
        async with tailing(api, tmp_path, msgspec.structs.replace(WISH, limit=2)) as screen:
            await until(lambda: len(screen.lines) == 2 and any("--max-logs (now 2)" in text for text in screen.said))
            for pod in [text.partition("]")[0][1:] for text in screen.lines]:
                api.remove("pods", "default", pod)
            await until(lambda: len(screen.lines) == 4)
        assert api.most_open == 2
        assert sum("--max-logs" in text for text in screen.said) == 1


async def test_who_floods_takes_turns_with_the_others_and_lines_stay_whole(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-flood")
        api.print("web-flood", *(f"2026-01-01T00:00:01.{number:09}Z {'x' * 200}" for number in range(20_000)))
        for number in range(5):
            api.pod(f"web-{number}")
            api.print(f"web-{number}", at(1, "hello"))
        async with tailing(api, tmp_path) as screen:
            await until(lambda: len(screen.lines) == 20_005)
        lines = screen.lines
        assert Counter(lines) == {f"[web-flood] {'x' * 200}": 20_000, **{f"[web-{number}] hello": 1 for number in range(5)}}
        assert max(lines.index(f"[web-{number}] hello") for number in range(5)) < 20_000


async def test_a_container_that_is_over_is_waited_for_without_asking_again_and_again(tmp_path: Path) -> None:
    async with log_api() as api:
        api.pod("web-0", ended=3)
        api.print("web-0", at(1, "a"))
        async with tailing(api, tmp_path) as screen:
            await until(lambda: bool(screen.lines))
            await asyncio.sleep(0.2)
            assert len(api.asked) == 1
            api.pod("web-0", restarts=1)
            await until(lambda: len(screen.said) == 2)
        assert screen.lines == ["[web-0] a"]


async def test_without_following_pods_are_printed_one_after_the_other(tmp_path: Path) -> None:
    async with log_api() as api:
        for name in ("web-1", "web-0"):
            api.pod(name, restarts=int(name == "web-0"))
            api.print(name, at(1, "old"), at(2, "new"), instance=0)
        screen = Screen()
        wish = reaching(api, tmp_path, msgspec.structs.replace(WISH, beginning=Beginning(tail=1)))
        assert await tail(wish, follow=False, write=screen.write, say=screen.said.append) == 2
        assert screen.lines == ["[web-1] new"]
        wish = msgspec.structs.replace(wish, previous=True, beginning=Beginning())
        assert await tail(wish, follow=False, write=screen.write, say=screen.said.append) == 1
        assert screen.lines == ["[web-1] new", "[web-0] old", "[web-0] new"]
        assert screen.said == ["[web-1] has no log to show: previous container not found"]


async def test_who_may_not_list_pods_is_told_at_once(tmp_path: Path) -> None:
    async with log_api() as api:
        api.forbidden.add("pods")
        with pytest.raises(ApiServerRefused, match="pods is forbidden"):
            await tail(reaching(api, tmp_path, WISH), follow=True, write=lambda _: None, say=lambda _: None)


async def test_who_stops_reading_ends_it(tmp_path: Path) -> None:
    def write(data: bytes) -> None:
        raise BrokenPipeError

    async with log_api() as api:
        api.pod("web-0")
        api.print("web-0", at(1, "a"))
        with pytest.raises(BrokenPipeError):
            await tail(reaching(api, tmp_path, WISH), follow=True, write=write, say=lambda _: None)
