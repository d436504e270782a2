"""What keeps requests out or holds them back, in the order in which it does.

`REQUEST_PHASES` is the one place that orders it, as ingress-nginx does (behaviour reference, part B, section 0.6): limits,
lists of addresses, authentication, mirroring. Only guarded classes run these rules.
"""

from collections.abc import Callable, Iterable, Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features import access, external_auth, limits, mirror
from remora.haproxy.grammar import Directive
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map


def _mirror(layout: Layout) -> Iterable[Directive]:
    return mirror.request_rules(layout.map(Map.MIRRORS))


REQUEST_PHASES: tuple[Callable[[Layout], Iterable[Directive]], ...] = (
    external_auth.finding_rules,  # whoever refuses with 401 wants to know where to sign in
    access.address_rules,
    access.login_rules,
    external_auth.request_rules,
    access.last_rules,
    _mirror,
)


def response_rules() -> Iterator[Directive]:
    """What guards add to answers."""
    yield from external_auth.response_rules()


def request_rules(layout: Layout, options: ProxyOptions) -> Iterator[Directive]:
    """All of them, limits first."""
    yield from limits.request_rules(layout, options)
    for phase in REQUEST_PHASES:
        yield from phase(layout)
