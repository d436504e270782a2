"""What a route asks another service, as an entry of a map."""

from remora.haproxy.features.external_auth import auth_entry, template_text
from remora.haproxy.hosts import configure_host, targets
from remora.haproxy.maps import Map, encode_record
from remora.haproxy.pool import Slot
from remora.model import BackendName, ExternalAuth, RedirectTo
from tests.support.models import host, route

ASKED = ExternalAuth(backend=BackendName("@auth"), host="auth.example", target=("/check",))


def test_no_text_ends_a_field() -> None:
    nasty = "a|b,c=d+e$f:g h%\xe9\n"
    auth = ExternalAuth(
        backend=BackendName("@auth"),
        host="auth.example",
        target=(nasty,),
        sent_headers=(("x-a", (nasty, "http:x", nasty)),),
        redirect=(nasty,),
        sign_in=(nasty,),
        cache_key=(nasty,),
        cache_durations=((200, 5), (0, 1)),
    )
    entry = auth_entry(auth)
    assert entry.count("|") == 10
    assert all(character.isprintable() and character != " " for character in entry)
    assert entry.endswith("|200:5,any:1")


def test_a_template_s_variables_are_marked() -> None:
    assert template_text(("/a?", "http:x-y", "", "host", "/")) == "%2Fa%3F+$http:x-y+$host+%2F"
    assert template_text(()) == template_text(("",)) == ""


def test_a_route_that_asks_has_a_backend_for_the_service_and_a_guarded_one_of_its_own() -> None:
    asking = route(external_auth=ASKED)
    part = configure_host(host(asking))
    assert list(part.texts[Map.EXTERNAL_AUTH]) == [asking.id]
    record = part.auth_routes[asking.id]
    assert encode_record(record, {record.over_tls: Slot("spread-plain-3")}) == f"|{asking.id}||spread-plain-3|spread-plain-3"
    assert {target.backend: target.kind.guarded for target in targets(host(asking))} == {"@auth": False, "default-web-80": True}


def test_a_redirect_asks_nobody() -> None:
    part = configure_host(host(route(action=RedirectTo("/x", 302), external_auth=ASKED)))
    assert part.auth_routes == {}
    assert Map.EXTERNAL_AUTH not in part.texts
