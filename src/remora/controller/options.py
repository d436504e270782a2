"""What of the ConfigMap HAProxy does not take, although it is well-formed: an address that is not ours, a cipher that OpenSSL
does not know. Such a key keeps its last good value, and all else goes on. Pure.
"""

from collections.abc import Iterator

import msgspec

from remora.core.names import NamespacedName, ObjectRef
from remora.core.options import ProxyOptions, changed_keys
from remora.core.problem import Problem, Severity

UNSURE = (
    "bind_address",
    "bind_address_ipv4",
    "bind_address_ipv6",
    "disable_ipv6",
    "large_client_header_buffers",
    "max_worker_connections",
    "ssl_ciphers",
    "ssl_dh_param",
    "ssl_ecdh_curve",
    "ssl_protocols",
    "worker_processes",
)
"""The options of which only HAProxy, on this machine, can say whether it takes them. None of them guards access."""


class OptionsInUse:
    """Which options HAProxy has taken, and which it has refused."""

    def __init__(self) -> None:
        self._taken = ProxyOptions()
        self._refused: ProxyOptions | None = None
        self._error = ""

    def usable(self, wanted: ProxyOptions) -> ProxyOptions:
        """The options to try: those wanted, unless they were refused before."""
        return self._taken if wanted == self._refused else wanted

    def fallbacks(self, refused: ProxyOptions) -> Iterator[ProxyOptions]:
        """What to try instead, as much of what is wanted as can be: one of the keys that may be refused with its last good
        value, each in turn, and then all of them."""
        last_good = {field: getattr(self._taken, field) for field in UNSURE}
        changed = [field for field, value in last_good.items() if value != getattr(refused, field)]
        for field in changed:
            yield msgspec.structs.replace(refused, **{field: last_good[field]})
        if len(changed) > 1:
            yield msgspec.structs.replace(refused, **last_good)

    def take(self, wanted: ProxyOptions, used: ProxyOptions, error: str = "") -> None:
        """Notes what HAProxy runs with, and why that is not what was wanted."""
        self._taken = used
        if wanted == used:
            self._refused = None
        elif wanted != self._refused:
            self._refused, self._error = wanted, error

    def problems(self, configmap: NamespacedName | None) -> Iterator[Problem]:
        """What the one who wrote the ConfigMap is told."""
        if self._refused is None or configmap is None:
            return
        for key in changed_keys(self._taken, self._refused):
            message = f"HAProxy does not take the settings: {self._error}"
            consequence = "the last value that it took counts"
            yield Problem(
                ObjectRef("ConfigMap", configmap), f"data[{key}]", "SettingRefused", message, consequence, Severity.ERROR
            )
