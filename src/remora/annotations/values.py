"""From an annotation's text to a typed value, or a refusal that says why.

Texts are read as ingress-nginx reads them: booleans are Go's words, integers are decimal, lines of a string are trimmed. Every
pattern is matched against the whole value, and none of them lets a line end through.
"""

import re
from collections.abc import Callable

_WORDS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_INT64 = 1 << 63
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

LONGEST = 4096
"""Characters of a text. The proxy takes 16 kB in an entry of its maps and in a command, and refuses all others with it."""


class ValueRefused(ValueError):
    """The text is not a value of the annotation; the message says why and what would be one."""


def trimmed(text: str) -> str:
    """The text with white space taken from both ends of every line, and empty lines from both ends of the whole.

    Raises:
        ValueRefused: nothing is left, or more than any use has.
    """
    value = "\n".join(line.strip() for line in text.split("\n")).strip() if "\n" in text else text.strip()
    if not value:
        raise ValueRefused("it is empty")
    if len(value) > LONGEST:
        raise ValueRefused(f"it is longer than {LONGEST} characters")
    return value


def boolean(text: str) -> bool:
    """Go's `strconv.ParseBool`."""
    try:
        return _WORDS[text]
    except KeyError:
        raise ValueRefused(f"{shown(text)} is not true or false") from None


def integer(text: str) -> int:
    """Go's `strconv.Atoi`: decimal digits with an optional sign, within 64 bits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not -_INT64 <= int(text) < _INT64:
        raise ValueRefused(f"{shown(text)} is not a whole number")
    return int(text)


def up_to(highest: int) -> Callable[[str], int]:
    """A whole number from 0."""

    def parse(text: str) -> int:
        value = integer(trimmed(text))
        if not 0 <= value <= highest:
            raise ValueRefused(f"{value} is not between 0 and {highest}")
        return value

    return parse


def seconds_from_now(text: str) -> int:
    """Whole seconds, negative for the past. Kept within a century, since dates are made of them."""
    value = integer(trimmed(text))
    if abs(value) > 100 * 366 * 86400:
        raise ValueRefused(f"{shown(text)} is more than a hundred years")
    return value


def duration(text: str) -> int:
    """A time span in seconds, of at most a hundred years: a whole number, alone or with `s`, `m`, `h` or `d` behind it."""
    value = trimmed(text)
    found = re.fullmatch(r"([0-9]{1,10})([smhd]?)", value)
    seconds = int(found[1]) * _UNITS[found[2]] if found else -1
    if not 0 <= seconds <= 100 * 366 * 86400:
        raise ValueRefused(f"{shown(value)} is no time span of at most a hundred years; write 90s, 15m, 8h or 2d")
    return seconds


def text(value: str) -> str:
    """Any text without control characters."""
    return _checked(trimmed(value), r"[^\x00-\x1f\x7f]*", what="without control characters")


def choice(*words: str) -> Callable[[str], str]:
    """One of the words, spelled so."""

    def parse(text: str) -> str:
        word = trimmed(text)
        if word not in words:
            raise ValueRefused(f"{shown(text)} is not one of {', '.join(words)}")
        return word

    return parse


def one_of(*codes: int) -> Callable[[str], int]:
    """One of the numbers."""

    def parse(text: str) -> int:
        value = integer(trimmed(text))
        if value not in codes:
            raise ValueRefused(f"{value} is not one of {', '.join(map(str, codes))}")
        return value

    return parse


def comma_list(text: str) -> tuple[str, ...]:
    """Items between commas or line ends, trimmed; empty ones are left out."""
    return tuple(item for item in (item.strip() for item in re.split(r"[,\n]", trimmed(text))) if item)


def basic(text: str) -> str:
    """Letters, digits and `- . _ ~ / :`; no blanks."""
    return _checked(trimmed(text), r"[A-Za-z0-9\-._~/:]*", what="of letters, digits and - . _ ~ / :")


def spaced_basic(text: str) -> str:
    """What `basic` takes, with blanks in it."""
    return _checked(trimmed(text), r"[A-Za-z0-9\-._~/: ]*", what="of letters, digits, blanks and - . _ ~ / :")


def pattern(text: str) -> str:
    """What `basic` takes, and what regular expressions are made of. Whether it is one is found out later."""
    characters = r"[A-Za-z0-9\-._~/:^$\[\](){}*+?|&=\\]*"
    return _checked(trimmed(text), characters, what="of letters, digits and - . _ ~ / : ^ $ [ ] ( ) { } * + ? | & = \\")


def url(text: str) -> str:
    """What `basic` takes, and `, ? & =`."""
    return _checked(trimmed(text), r"[A-Za-z0-9\-._~/:,?&=]*", what="of letters, digits and - . _ ~ / : , ? & =")


def spaced_url(text: str) -> str:
    """What `url` takes, with blanks in it."""
    return _checked(trimmed(text), r"[A-Za-z0-9\-._~/:,?&= ]*", what="of letters, digits, blanks and - . _ ~ / : , ? & =")


def path_with_groups(text: str) -> str:
    """What `basic` takes, and `$1` to `$9` for what the path's groups hold."""
    value = _checked(trimmed(text), r"[A-Za-z0-9\-._~/:$]*", what="of letters, digits and - . _ ~ / : $")
    if re.search(r"\$(?![1-9])", value):
        raise ValueRefused(f"{shown(value)} has a $ that is not one of $1 to $9; nginx variables are not known here")
    if re.match(r"https?://(?:[^/]*\$|/|$)", value):
        raise ValueRefused(f"{shown(value)} is no URL with a host; groups can stand in its path alone")
    return value


def absolute_path(text: str) -> str:
    """A path from the root, of the characters that `basic` takes."""
    value = basic(text)
    if not value.startswith("/"):
        raise ValueRefused(f"{shown(value)} does not begin with a slash")
    return value


def shown(text: str) -> str:
    """The text for a message: quoted, escaped, and not endless."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _checked(value: str, pattern: str, *, what: str) -> str:
    if not re.fullmatch(pattern, value):
        raise ValueRefused(f"{shown(value)} is not a text {what}")
    return value
