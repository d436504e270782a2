"""Instructions to stages: what FROM begins, which of them are needed, and the ARGs that stand before all. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.cluster.images.dockerfile import DockerfileError, Instruction
from remora.cluster.images.words import WordsError, split, substituted

_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)(?::v?(\d+\.\d+)[^/]*)?(?:@.*)?|(?:.*/)?uv:.*python(\d+\.\d+)[^/]*")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One FROM and what follows it; `base` is another stage's index, or -1 for an image that means this machine."""

    index: int
    name: str
    image: str
    line: int
    base: int = -1
    instructions: tuple[Instruction, ...] = ()

    @property
    def python(self) -> str:
        """The version that the base's name asks for (3.12), "" if it asks for none."""
        match = _PYTHON.fullmatch(self.image) if self.base < 0 else None
        return (match[1] or match[2] or "") if match else ""


def parse_stages(instructions: Sequence[Instruction], arguments: Mapping[str, str]) -> tuple[tuple[Stage, ...], dict[str, str]]:
    """The stages, and the global ARGs with what was given for them.

    Raises:
        DockerfileError: FROM is missing or cannot be read.
    """
    known: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            stages.append(_stage(instruction, stages, known))
        elif stages:
            last = stages[-1]
            stages[-1] = msgspec.structs.replace(last, instructions=(*last.instructions, instruction))
        elif instruction.name == "ARG":
            known |= declared_arguments(instruction, known, arguments)
        else:
            raise DockerfileError(
                instruction.line, f"{instruction.name} stands before the first FROM: begin with FROM python:3.11"
            )
    if not stages:
        raise DockerfileError(1, "there is no FROM: begin with FROM python:3.11")
    return tuple(stages), known


def declared_arguments(
    instruction: Instruction, known: Mapping[str, str], arguments: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What an ARG makes known: what was given, else its default, else what an ARG before the first FROM has.

    Raises:
        DockerfileError: it cannot be read.
    """
    found = {}
    try:
        for word in split(substituted(instruction.text, known)):
            name, equals, default = word.partition("=")
            if name in arguments:
                found[name] = arguments[name]
            elif equals:
                found[name] = default
            elif inherited and name in inherited:
                found[name] = inherited[name]
    except WordsError as error:
        raise DockerfileError(instruction.line, str(error)) from error
    return found


def find_target(stages: Sequence[Stage], target: str) -> Stage | None:
    """The stage of that name or number; the last one for ""."""
    if not target:
        return stages[-1]
    return next((stage for stage in stages if target.lower() == stage.name or target == str(stage.index)), None)


def needed(stages: Sequence[Stage], target: Stage) -> tuple[Stage, ...]:
    """The stages that the target is made from, in their order, itself at the end."""
    wanted: set[int] = set()
    waiting = [target.index]
    while waiting:
        index = waiting.pop()
        if index not in wanted:
            wanted.add(index)
            waiting += _sources(stages, stages[index])
    return tuple(stage for stage in stages if stage.index in wanted)


def _sources(stages: Sequence[Stage], stage: Stage) -> Iterator[int]:
    if stage.base >= 0:
        yield stage.base
    for instruction in stage.instructions:
        source = find_source(stages, stage, instruction.flags.get("from", ""))
        if source is not None:
            yield source.index


def find_source(stages: Sequence[Stage], stage: Stage, name: str) -> Stage | None:
    """The earlier stage that `--from` means, or None."""
    earlier = [found for found in stages if found.index < stage.index]
    return find_target(earlier, name) if name and earlier else None


def _stage(instruction: Instruction, before: Iterable[Stage], known: Mapping[str, str]) -> Stage:
    try:
        words = split(substituted(instruction.text, known))
    except WordsError as error:
        raise DockerfileError(instruction.line, str(error)) from error
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise DockerfileError(instruction.line, f"{instruction} cannot be read: write FROM IMAGE or FROM IMAGE AS NAME")
    earlier = list(before)
    base = find_target(earlier, words[0]) if any(words[0].lower() == stage.name for stage in earlier) else None
    name = words[2].lower() if len(words) == 3 else ""
    index = base.index if base else -1
    return Stage(index=len(earlier), name=name, image=words[0], line=instruction.line, base=index)
