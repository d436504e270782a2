import pytest

from remora.observe.fullness import Fullness


def test_being_full_is_said_once_and_having_room_again_as_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fullness = Fullness()
    for current in (10, 100, 101, 99, 100):
        fullness.tell({"Maxconn": 100, "CurrConns": current})
    fullness.tell({})
    words = ["new clients wait" if "new clients wait" in line else "room" for line in caplog.messages]
    assert words == ["new clients wait", "room", "new clients wait", "room"]
