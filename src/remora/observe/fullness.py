"""Whether HAProxy has as many clients as it can have: new ones wait then, which no request's log shows."""

import logging
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Fullness:
    """Says when the limit is reached, and when it is not any more."""

    def __init__(self) -> None:
        self._is_full = False

    def tell(self, info: Mapping[str, int]) -> None:
        """Takes what HAProxy says of itself; nothing, if it does not answer."""
        most, current = info.get("Maxconn", 0), info.get("CurrConns", 0)
        is_full = bool(most) and current >= most
        if is_full and not self._is_full:
            _log.warning(
                "HAProxy has all %d connections that it may have, and new clients wait until others go: raise the controller's "
                "limit on open files (ulimit -n), from which the number follows, or max-worker-connections",
                most,
            )
        elif self._is_full and not is_full:
            _log.info("HAProxy has room for new clients again: %d of %d connections", current, most)
        self._is_full = is_full
