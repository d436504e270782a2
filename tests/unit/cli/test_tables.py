"""Tables as they are printed."""

import pytest

from remora.cli.render import table


def test_a_row_is_one_line_whatever_its_cells_hold(capsys: pytest.CaptureFixture[str]) -> None:
    table(("IMAGE", "COMMAND"), [("a", "sh -c 'one\ntwo'")])
    assert capsys.readouterr().out.splitlines() == ["IMAGE   COMMAND", "a       sh -c 'one\\ntwo'", ""]
