"""What to do about each Problem."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import remora
from remora.report.advice import ADVICE, USUAL, advice

SOURCE = Path(remora.__file__).parent
ROOMS = ("annotations", "controller", "kube", "snippets", "translate")
CODE = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)+")


def codes() -> Iterator[str]:
    """The codes of Problems, as they stand in calls that make one."""
    for path in (path for room in ROOMS for path in (SOURCE / room).rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            given = [*call.args] if name in ("Problem", "Fault") else []
            given += [one.value for one in call.keywords if one.arg == "code"]
            for one in given:
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and CODE.fullmatch(one.value):
                    yield one.value


def test_every_code_has_advice() -> None:
    found = set(codes())
    assert len(found) > 40
    assert found - ADVICE.keys() == set()


def test_what_is_unknown_has_advice_all_the_same() -> None:
    assert advice("Nonsense") == USUAL
