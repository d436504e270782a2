"""CEL's grammar: text to a tree of tuples, whose first part names what it is. Pure.

("literal", value) ("ident", name) ("select", target, name, is_optional) ("index", target, index, is_optional)
("call", name, arguments) ("method", target, name, arguments) ("list", items) ("map", pairs)
("unary", operator, operand) ("binary", operator, left, right) ("conditional", condition, then, otherwise)
"""

import re
from typing import Any, NamedTuple

from remora.cluster.cel.values import CelError

Tree = tuple[Any, ...]

_MOST_DEPTH = 60
_TOKENS = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|.)*?\"\"\"|'''(?:\\.|.)*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<raw>[rR](?:"[^"\n]*"|'[^'\n]*'))
    |(?P<number>0x[0-9a-fA-F]+u?|(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?u?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<ident>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<quoted>`[^`\n]+`)
    |(?P<op>\|\||&&|[<>=!]=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_RAW_TRIPLE = re.compile(r'[rR](?:"""(?:.*?)"""|\'\'\'(?:.*?)\'\'\')', re.DOTALL)
_RAW = re.compile(r"""[rR](?:"[^"\n]*"|'[^'\n]*')""")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
_CONSTANTS = {"true": True, "false": False, "null": None}


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str) -> Tree:
    """The tree of an expression.

    Raises:
        CelError: it is none.
    """
    parser = _Parser(_tokens(text))
    tree = parser.expression(0)
    parser.expect_end()
    return tree


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while position < len(text):
        raw = _RAW_TRIPLE.match(text, position) or _RAW.match(text, position)
        match = raw or _TOKENS.match(text, position)
        if match is None:
            raise CelError(f"Syntax error: token recognition error at: '{text[position : position + 10]}'")
        kind = "string" if raw else str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match[0], position))
        position = match.end()
    return [*found, _Token("end", "<EOF>", position)]


def _string(text: str) -> str | bytes:
    start = next(index for index, letter in enumerate(text) if letter in "\"'")
    prefix, quoted = text[:start].lower(), text[start:]
    width = 3 if quoted[:3] in ('"""', "'''") and len(quoted) >= 6 else 1
    body = quoted[width:-width]
    if "r" not in prefix:
        body = _ESCAPE.sub(_unescaped, body)
    return body.encode() if "b" in prefix else body


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16))
    return chr(int(found[4], 8)) if found[4] else _ESCAPES.get(found[5], found[5])


def _number(text: str) -> int | float:
    digits = text.rstrip("u")
    if digits.startswith("0x"):
        return int(digits, 16)
    return float(digits) if any(letter in digits for letter in ".eE") else int(digits)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> str:
        """The next token's text if it is one of these, else ""."""
        if self._next.kind in ("op", "ident") and self._next.text in texts:
            self._at += 1
            return self._tokens[self._at - 1].text
        return ""

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"expecting '{text}'")

    def _unexpected(self, why: str) -> CelError:
        return CelError(f"Syntax error: {self._next.at}: mismatched input '{self._next.text}' {why}")

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise self._unexpected("expecting <EOF>")

    def expression(self, depth: int) -> Tree:
        if depth > _MOST_DEPTH:
            raise CelError("expression recursion limit exceeded")
        condition = self._binary(0, depth)
        if not self._take("?"):
            return condition
        then = self._binary(0, depth + 1)
        self._expect(":")
        return ("conditional", condition, then, self.expression(depth + 1))

    def _binary(self, level: int, depth: int) -> Tree:
        if level == len(_LEVELS):
            return self._unary(depth)
        left = self._binary(level + 1, depth)
        while operator := self._take(*_LEVELS[level]):
            left = ("binary", operator, left, self._binary(level + 1, depth))
        return left

    def _unary(self, depth: int) -> Tree:
        operators = []
        while operator := self._take("!", "-"):
            operators.append(operator)
        tree = self._member(depth)
        for operator in reversed(operators):
            tree = ("unary", operator, tree)
        return tree

    def _member(self, depth: int) -> Tree:
        tree = self._primary(depth)
        while True:
            if self._take("."):
                tree = self._selected(tree, depth)
            elif self._take("["):
                is_optional = bool(self._take("?"))
                tree = ("index", tree, self.expression(depth + 1), is_optional)
                self._expect("]")
            else:
                return tree

    def _selected(self, target: Tree, depth: int) -> Tree:
        is_optional = bool(self._take("?"))
        token = self._next
        if token.kind not in ("ident", "quoted"):
            raise self._unexpected("expecting IDENTIFIER")
        self._at += 1
        if token.kind == "ident" and not is_optional and self._take("("):
            return ("method", target, token.text, self._listed(")", depth))
        return ("select", target, token.text.strip("`"), is_optional)

    def _listed(self, end: str, depth: int) -> list[Tree]:
        items: list[Tree] = []
        while not self._take(end):
            items.append(self.expression(depth + 1))
            if not self._take(","):
                self._expect(end)
                break
        return items

    def _primary(self, depth: int) -> Tree:
        token = self._next
        if token.kind == "string":
            self._at += 1
            return ("literal", _string(token.text))
        if token.kind == "number":
            self._at += 1
            return ("literal", _number(token.text))
        if token.kind == "ident" and token.text != "in":
            return self._named(token, depth)
        if self._take("("):
            tree = self.expression(depth + 1)
            self._expect(")")
            return tree
        if self._take("["):
            return ("list", self._listed("]", depth))
        if self._take("{"):
            return ("map", self._pairs(depth))
        if self._take("."):
            return self._primary(depth)
        raise self._unexpected("expecting an expression")

    def _named(self, token: _Token, depth: int) -> Tree:
        self._at += 1
        if token.text in _CONSTANTS:
            return ("literal", _CONSTANTS[token.text])
        if self._take("("):
            return ("call", token.text, self._listed(")", depth))
        return ("ident", token.text)

    def _pairs(self, depth: int) -> list[tuple[Tree, Tree]]:
        pairs: list[tuple[Tree, Tree]] = []
        while not self._take("}"):
            key = self.expression(depth + 1)
            self._expect(":")
            pairs.append((key, self.expression(depth + 1)))
            if not self._take(","):
                self._expect("}")
                break
        return pairs
