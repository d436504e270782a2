import subprocess
import sys

_STORY = """
import gc, weakref
from remora.controller.garbage import uncollected

class Circle:
    def __init__(self):
        self.own = self

gc.collect()
with uncollected():
    assert not gc.isenabled()
    kept = [[number] for number in range(10_000)]
assert gc.isenabled()
assert gc.get_freeze_count() > 10_000
found = weakref.ref(circle := Circle())
del circle
gc.collect()
assert found() is None, "what is new afterwards is collected as ever"
"""


def test_what_is_made_within_is_never_walked_over_and_what_comes_later_is() -> None:
    subprocess.run([sys.executable, "-c", _STORY], check=True)


def test_a_collector_that_was_off_stays_off() -> None:
    story = "import gc; gc.disable(); from remora.controller.garbage import uncollected as u"
    story += "\nwith u(): pass\nassert not gc.isenabled()"
    subprocess.run([sys.executable, "-c", story], check=True)
