"""What single instructions say, with their variables replaced. Pure but for the stage that it reads."""

from collections.abc import Iterator

from remora.cluster.images.dockerfile import Instruction
from remora.cluster.images.making import Making
from remora.cluster.images.words import WordsError, json_form, split, substituted


def short(instruction: Instruction) -> str:
    return str(instruction).splitlines()[0][:100]


def one_word(instruction: Instruction, making: Making) -> str:
    words = split(substituted(instruction.text, making.values))
    if len(words) != 1:
        raise WordsError("one word is expected")
    return words[0]


def copy_words(instruction: Instruction, making: Making) -> list[str]:
    words = json_form(instruction.text)
    values = making.values
    spoken = [substituted(word, values) for word in words] if words else list(split(substituted(instruction.text, values)))
    if len(spoken) < 2:
        raise WordsError("a source and a target are expected")
    return spoken


def spoken(instruction: Instruction, making: Making) -> tuple[str, ...]:
    words = json_form(instruction.text)
    return words if words is not None else (*making.shell, instruction.text)


def shell_words(instruction: Instruction) -> tuple[str, ...]:
    words = json_form(instruction.text)
    if not words:
        raise WordsError('write SHELL ["program", "argument"]')
    return words


def ports(instruction: Instruction, making: Making) -> Iterator[int]:
    for word in split(substituted(instruction.text, making.values)):
        number, _, protocol = word.partition("/")
        if not number.partition("-")[0].isdecimal():
            raise WordsError(f"{word!r} is no port")
        if protocol in ("", "tcp"):
            yield int(number.partition("-")[0])
