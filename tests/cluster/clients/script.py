"""Commands as people type them, each with what it must say: a script, run against one cluster as fast as its order allows.

A line is `COMMAND => PATTERN ++ PATTERN ...`. Lines of a paragraph run at once; the next paragraph waits for them. `!` before a
command means that it must fail, `~` that it goes on until it has said all that is expected, `$` that it is one of the shell's.
"""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

_AT_ONCE = 6
_PATIENCE = 60.0


class Step(msgspec.Struct, frozen=True):
    """One command."""

    command: str
    patterns: tuple[str, ...]
    mark: str = ""

    def missing(self, said: str) -> list[str]:
        return [pattern for pattern in self.patterns if not re.search(pattern, said, re.MULTILINE | re.DOTALL)]


def parse_script(text: str) -> Iterator[list[Step]]:
    """The paragraphs of a script."""
    for paragraph in text.strip().split("\n\n"):
        yield [parse_step(line.strip()) for line in paragraph.splitlines() if line.strip()]


def parse_step(line: str) -> Step:
    command, arrow, expected = line.partition(" => ")
    assert arrow, f"what must {line!r} say?"
    mark = command[0] if command[0] in "!~$" else ""
    return Step(command.removeprefix(mark).strip(), tuple(expected.strip().split(" ++ ")), mark)


async def run_script(text: str, *, environment: Mapping[str, str], folder: Path) -> list[str]:
    """What went otherwise than the script says; a paragraph with faults is the last one that runs."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def limited(step: Step) -> str:
        async with gate:
            return await run_step(step, environment=environment, folder=folder)

    for steps in parse_script(text):
        if faults := [fault for fault in await asyncio.gather(*map(limited, steps)) if fault]:
            return faults
    return []


async def run_step(step: Step, *, environment: Mapping[str, str], folder: Path) -> str:
    """What is wrong with what the command said, or ""."""
    command = step.command if step.mark == "$" else f"kubectl {step.command}"
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_shell(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                if step.mark == "~":
                    await _until_said(step, process, said.fileno())
                else:
                    await process.wait()
        except TimeoutError:
            return f"{command}\n    has not ended\n{_read(said.fileno())}"
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        text = _read(said.fileno())
    missing = step.missing(text)
    if step.mark != "~" and (process.returncode != 0) != (step.mark == "!"):
        missing.append(f"exit status {process.returncode}")
    return f"{command}\n    misses {missing}\n{text}" if missing else ""


async def _until_said(step: Step, process: asyncio.subprocess.Process, file: int) -> None:
    while process.returncode is None and step.missing(_read(file)):
        await asyncio.sleep(0.02)


def _read(file: int) -> str:
    return os.pread(file, 1 << 22, 0).decode(errors="replace")
