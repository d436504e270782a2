from remora.kube.objects import EndpointSlice, Ingress
from remora.watch.debounce import Burst, Debounce, due_time, grown
from remora.watch.snapshot import Change
from tests.support.kubernetes import named

RULE = Debounce(quiet=1, maximum=5)
ROUTE = Change(Ingress, named("shop/a"))
ENDPOINTS = Change(EndpointSlice, named("shop/a"))


def test_a_burst_waits_for_quiet() -> None:
    burst = grown(grown(None, [ROUTE], 10), [ROUTE], 10.5)
    assert burst == Burst(10, 10.5)
    assert due_time(burst, RULE) == 11.5


def test_a_burst_never_waits_longer_than_the_maximum() -> None:
    burst = None
    for tenth in range(100):
        burst = grown(burst, [ROUTE], 10 + tenth / 10)
    assert burst
    assert due_time(burst, RULE) == 15


def test_endpoints_do_not_wait_nor_do_those_who_come_with_them() -> None:
    burst = grown(grown(grown(None, [ROUTE], 10), [ENDPOINTS], 11), [ROUTE], 12)
    assert burst
    assert due_time(burst, RULE) <= 11


def test_nothing_is_no_burst() -> None:
    assert grown(None, [], 10) is None
    assert grown(Burst(1, 2), [], 10) == Burst(1, 2)
