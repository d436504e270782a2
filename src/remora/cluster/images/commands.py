"""What becomes of the commands of a RUN. Pure.

A process has no file system of its own, so no command of a Dockerfile may run as if it had. Installs of Python packages go into
the image's virtual environment; folders, modes and removals are honoured within the image's folder; what concerns the machine
(packages of its distribution, users, owners) is left out with a note; Python itself and programs of the virtual environment
are run. All else is an error that says what to do instead.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from remora.cluster.images.words import WordsError, substituted

_PIP = re.compile(r"(?:.*/)?pip[0-9.]*")
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_QUIET = re.compile(r"\s*(?:[0-9]?>>?\s*/dev/null|[0-9]>&[0-9]|&>\s*/dev/null)")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_SHELL_WORDS = frozenset(
    {
        "if",
        "then",
        "else",
        "fi",
        "for",
        "while",
        "do",
        "done",
        "case",
        "esac",
        "{",
        "}",
        "(",
        ")",
        "[",
        "[[",
        "test",
        "eval",
        "exec",
        "source",
        ".",
    }
)
_DISTRIBUTION = ("apt-get", "apt", "apk", "yum", "dnf", "microdnf", "zypper")
_USERS = frozenset({"useradd", "adduser", "groupadd", "addgroup", "usermod", "groupmod", "passwd", "chpasswd"})
_NOTHING = frozenset(
    {"true", ":", "set", "ls", "which", "echo", "printf", "sleep", "sync", "whoami", "id", "pwd", "cat", "uname", "date", "env"}
)
_MACHINE = frozenset(
    {
        "update-ca-certificates",
        "ldconfig",
        "locale-gen",
        "dpkg-reconfigure",
        "dpkg",
        "apt-key",
        "update-alternatives",
        "chown",
        "chgrp",
    }
)
_UV_ONLY = frozenset(
    {"--system", "--no-cache", "-n", "--compile-bytecode", "--compile", "--no-progress", "--link-mode=copy", "--native-tls"}
)


class Pip(msgspec.Struct, frozen=True):
    """pip with these arguments; `venv` is a folder of the image that it is called from, "" for the image's own environment."""

    arguments: tuple[str, ...]
    venv: str = ""
    prefix: str = ""


class MakeVenv(msgspec.Struct, frozen=True):
    """`python -m venv PATH`."""

    path: str


class MakeDirectory(msgspec.Struct, frozen=True):
    paths: tuple[str, ...]


class Touch(msgspec.Struct, frozen=True):
    paths: tuple[str, ...]


class Remove(msgspec.Struct, frozen=True):
    """Only what is in the image's folder is ever removed."""

    paths: tuple[str, ...]


class SetMode(msgspec.Struct, frozen=True):
    arguments: tuple[str, ...]


class Execute(msgspec.Struct, frozen=True):
    """Python, or a program of the image's environment."""

    words: tuple[str, ...]
    env: Mapping[str, str] = {}


class Enter(msgspec.Struct, frozen=True):
    """`cd`, for the rest of the RUN."""

    path: str


class Export(msgspec.Struct, frozen=True):
    values: Mapping[str, str]


class Skip(msgspec.Struct, frozen=True):
    """Left out; `why` is told, unless it is ""."""

    why: str = ""


Action = Pip | MakeVenv | MakeDirectory | Touch | Remove | SetMode | Execute | Enter | Export | Skip


class CommandRefused(Exception):
    """A command that cannot be honoured; the text says what to do instead."""


def parse_run(text: str, values: Mapping[str, str]) -> tuple[Action, ...]:
    """What a RUN in shell form means, in its order.

    Raises:
        CommandRefused: a command cannot be honoured.
    """
    known = dict(values)
    actions: list[Action] = []
    for words in _commands(text):
        try:
            words = [substituted(word, known) for word in words]
        except WordsError as error:
            raise CommandRefused(str(error)) from error
        action = decide(words)
        actions.append(action)
        if isinstance(action, Export):
            known |= action.values
    return tuple(actions)


def _commands(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(_QUIET.sub("", text), posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise CommandRefused(f"{str(error).lower()}: close the quote") from error
    for part, after in zip(tokens, [*tokens[1:], ""], strict=True):
        if set(part) <= {";", "\n"} or part == "&&" or (part == "||" and after in ("true", ":")):
            yield from ([words] if words else [])
            words = []
        elif set(part) <= set("|<>&()"):
            raise CommandRefused(
                f"{part!r} is not understood in a RUN here: write plain commands, joined by &&, and requirements such as "
                "'name>=1' in quotes; for a file's content use COPY"
            )
        else:
            words.append(part)
    if words:
        yield words


def decide(words: Sequence[str]) -> Action:
    """What one command means.

    Raises:
        CommandRefused: it cannot be honoured.
    """
    env = {}
    words = list(words)
    while words and (match := _ASSIGNMENT.fullmatch(words[0])):
        env[match[1]] = match[2]
        words.pop(0)
    if words and words[0] in ("sudo", "exec", "command", "nice"):
        words.pop(0)
    if not words:
        return Export(env)
    return _python(words, env) or _in_the_image(words) or _left_out(words) or _other(words, env)


def _python(words: Sequence[str], env: Mapping[str, str]) -> Action | None:
    program = words[0]
    if program.endswith("uv") and words[1:2] == ["pip"]:
        return _pip([word for word in words[2:] if word not in _UV_ONLY], "")
    if program.endswith("uv") and words[1:2] == ["venv"]:
        return MakeVenv(_last_path(words[2:]) or ".venv")
    if _PIP.fullmatch(program):
        return _pip(words[1:], _folder_above(program))
    if _PYTHON.fullmatch(program) and words[1:3] == ["-m", "pip"]:
        return _pip(words[3:], _folder_above(program))
    if (_PYTHON.fullmatch(program) and words[1:3] in (["-m", "venv"], ["-m", "virtualenv"])) or program == "virtualenv":
        return MakeVenv(_last_path(words[1 if program == "virtualenv" else 3 :]) or "venv")
    if _PYTHON.fullmatch(program):
        return Execute(tuple(words), env)
    return None


def _pip(arguments: Sequence[str], venv: str) -> Action:
    kept, prefix = [], ""
    waiting = False
    for word in arguments:
        if waiting:
            prefix, waiting = word, False
        elif word in ("--prefix", "--root"):
            waiting = True
        elif word.startswith(("--prefix=", "--root=")):
            prefix = word.partition("=")[2]
        elif word not in ("--user", "--break-system-packages", "--no-warn-script-location") and not word.startswith(
            "--root-user-action"
        ):
            kept.append(word)
    verb = next((word for word in kept if not word.startswith("-")), "")
    if verb in ("install", "uninstall", "wheel", "download"):
        return Pip(tuple(kept), venv, prefix)
    return Skip()


def _in_the_image(words: Sequence[str]) -> Action | None:
    program, paths = words[0].rpartition("/")[2], tuple(word for word in words[1:] if not word.startswith("-"))
    if program == "mkdir":
        paths = tuple(path for word in _without_mode(words[1:]) for path in _braces(word))
        return MakeDirectory(paths)
    if program == "touch":
        return Touch(paths)
    if program in ("rm", "rmdir", "unlink"):
        return Remove(paths)
    if program == "chmod":
        return SetMode(tuple(word for word in words[1:] if not re.fullmatch(r"-[Rvfc]+|--recursive", word)))
    if program == "cd":
        return Enter(paths[0] if paths else "/root")
    if program == "export":
        return Export({match[1]: match[2] for word in words[1:] if (match := _ASSIGNMENT.fullmatch(word))})
    return None


def _left_out(words: Sequence[str]) -> Action | None:
    program, paths = words[0].rpartition("/")[2], [word for word in words[1:] if not word.startswith("-")]
    if program in _DISTRIBUTION:
        wanted = [word for word in paths if word not in ("install", "add", "update", "upgrade", "clean", "autoremove", "all")]
        if not ({"install", "add"} & set(paths)) or not wanted:
            return Skip()
        return Skip(f"{program} is not run: what the program needs of {', '.join(wanted)} must be on this machine")
    if program in _USERS:
        return Skip(f"{program} is not run: processes run as you")
    if program in _NOTHING:
        return Skip()
    if program in _MACHINE:
        return Skip(f"{program} is not run: it concerns the machine")
    return None


def _other(words: Sequence[str], env: Mapping[str, str]) -> Action:
    if words[0] in (".", "source") and words[-1].endswith("/activate"):
        return Skip()
    if words[0] in _SHELL_WORDS:
        raise CommandRefused(f"the shell's {words[0]!r} is not understood in a RUN here: write plain commands, joined by &&")
    return Execute(tuple(words), env)


def _without_mode(words: Sequence[str]) -> Iterator[str]:
    skips = False
    for word in words:
        if skips:
            skips = False
        elif word in ("-m", "--mode"):
            skips = True
        elif not word.startswith("-"):
            yield word


def _braces(word: str) -> Iterator[str]:
    """`/a/{b,c}` as the shell has it."""
    match = re.fullmatch(r"([^{]*)\{([^{}]*,[^{}]*)\}(.*)", word)
    if match is None:
        yield word
        return
    for part in match[2].split(","):
        yield from _braces(f"{match[1]}{part}{match[3]}")


def _last_path(words: Sequence[str]) -> str:
    return next((word for word in reversed(words) if not word.startswith("-")), "")


def _folder_above(program: str) -> str:
    """`/opt/venv` of `/opt/venv/bin/pip`; "" for a program of the usual places."""
    folder = program.rpartition("/")[0].removesuffix("/bin")
    return "" if folder in ("", "/usr", "/usr/local", "bin") else folder
