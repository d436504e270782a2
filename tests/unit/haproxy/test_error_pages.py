"""Error pages as map entries."""

import pytest

from remora.haproxy.hosts import configure_host, targets
from remora.haproxy.maps import Map
from remora.model import BackendName, ErrorContext, ErrorPages, ForwardTo, NotFound, RedirectTo, StandIn
from tests.support.models import NAME, host, route

ERRORS = BackendName("shop-errors-80")
CONTEXT = ErrorContext("shop", "web", "front", "80")
PAGES = ErrorPages((404, 503), CONTEXT, ERRORS)


def test_a_route_with_pages_is_rich_and_needs_the_default_backend() -> None:
    made = route(error_pages=PAGES)
    part = configure_host(host(made))
    assert part.texts[Map.ERROR_PAGES] == {
        made.id: "page|shop|web|front|80",
        f"{made.id}/404": "1",
        f"{made.id}/503": "1",
    }
    assert part.error_routes[made.id].over_tls == f"{ERRORS}:spread-plain"
    assert {target.name for target in targets(host(made))} == {f"{NAME}:spread-rich", f"{ERRORS}:spread-plain"}


def test_without_a_default_backend_nothing_is_asked() -> None:
    made = route(error_pages=ErrorPages((500,), CONTEXT, leaves_pods=True))
    part = configure_host(host(made))
    assert part.texts[Map.ERROR_PAGES] == {made.id: "built-in|shop|web|front|80|x", f"{made.id}/500": "1"}
    assert part.error_routes == {}


@pytest.mark.parametrize(("at_root", "kind"), [(True, "root"), (False, "as-it-is")])
def test_what_stands_in_has_no_pages_itself(at_root: bool, kind: str) -> None:
    made = route(action=ForwardTo(ERRORS, stand_in=StandIn(CONTEXT, at_root=at_root)), error_pages=PAGES)
    part = configure_host(host(made))
    assert part.texts[Map.ERROR_PAGES] == {made.id: f"{kind}|shop|web|front|80"}
    assert part.error_routes == {}
    assert {target.name for target in targets(host(made))} == {f"{ERRORS}:spread-rich"}


def test_routes_that_ask_no_pod_pay_nothing() -> None:
    moved = configure_host(host(route(action=RedirectTo("https://new.example", 301), error_pages=PAGES)))
    assert [record.over_tls for record in moved.routes.values()] == ["redirect-301"]
    gone = configure_host(host(route(action=NotFound(), error_pages=PAGES)))
    assert [record.over_tls for record in gone.routes.values()] == ["not-found"]
    assert Map.ERROR_PAGES not in {*gone.texts, *moved.texts}


@pytest.mark.parametrize("name", ["a|b", "a\nb", "a\x00"])
def test_a_name_that_would_end_a_field_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        configure_host(host(route(error_pages=ErrorPages((404,), ErrorContext("shop", name, "", "80")))))
