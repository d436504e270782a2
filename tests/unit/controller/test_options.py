"""Settings that HAProxy does not take keep their last good value, and all else goes on."""

from remora.controller.options import OptionsInUse
from remora.core.names import NamespacedName
from remora.core.options import ProxyOptions

NAME = NamespacedName("remora", "controller")
GOOD = ProxyOptions(ssl_ciphers="HIGH")
BAD = ProxyOptions(ssl_ciphers="NONSENSE", block_cidrs=("192.0.2.0/24",), hsts=False)


def refused() -> OptionsInUse:
    options = OptionsInUse()
    options.take(GOOD, GOOD)
    options.take(BAD, options.without_unsure(BAD), "unable to set cipher list")
    return options


def test_what_is_refused_keeps_its_value_and_a_guard_beside_it_counts() -> None:
    used = refused().usable(BAD)
    assert used == ProxyOptions(ssl_ciphers="HIGH", block_cidrs=("192.0.2.0/24",), hsts=False)


def test_only_the_keys_that_do_not_count_are_named() -> None:
    (problem,) = refused().problems(NAME)
    assert (str(problem.object), problem.field) == ("ConfigMap remora/controller", "data[ssl-ciphers]")
    assert "unable to set cipher list" in problem.message


def test_other_settings_are_tried_anew() -> None:
    options = refused()
    assert options.usable(GOOD) is GOOD
    options.take(GOOD, GOOD)
    assert list(options.problems(NAME)) == []
