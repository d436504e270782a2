"""`remora controller` on a machine whose wall clock jumps: twice a second, by a second or a year, forth and back.

The monotonic clock goes on as ever, as it does where somebody sets the time.
"""

import datetime
import itertools
import time

from remora.__main__ import main

_SECONDS = (0.0, 31_536_000.0, -31_536_000.0, 1.0, -1.0)
_real = time.time
_jumps = itertools.cycle(_SECONDS)


def _time() -> float:
    return _real() + next(_jumps)


class _Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Datetime":
        return cls.fromtimestamp(_time(), tz)


if __name__ == "__main__":
    time.time = _time
    datetime.datetime = _Datetime  # type: ignore[misc]
    main()
