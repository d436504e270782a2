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
    options.take(BAD, next(options.fallbacks(BAD)), "unable to set cipher list")
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


def test_a_key_that_is_fine_is_not_given_up_for_another() -> None:
    options = OptionsInUse()
    options.take(GOOD, GOOD)
    wanted = ProxyOptions(ssl_ciphers="NONSENSE", worker_processes=1, hsts=False)
    tried = list(options.fallbacks(wanted))
    assert [(one.ssl_ciphers, one.worker_processes, one.hsts) for one in tried] == [
        ("HIGH", 1, False),
        ("NONSENSE", GOOD.worker_processes, False),
        ("HIGH", GOOD.worker_processes, False),
    ]
    options.take(wanted, tried[0], "unable to set cipher list")
    assert [problem.field for problem in options.problems(NAME)] == ["data[ssl-ciphers]"]
    assert options.usable(wanted) == tried[0]
    assert list(options.fallbacks(tried[0])) == []
