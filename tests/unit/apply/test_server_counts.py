"""What servers were given, from HAProxy's statistics."""

from remora.apply.traffic import ServerRow, ServerSum, parse_servers
from remora.plan.outcome import ServerCount

SLOTS = {"spread-plain-1": "default-web-80:spread-plain"}


def row(requests: int, *, errors: int = 0, connections: int = 0, server: str = "a") -> ServerRow:
    return ServerRow("spread-plain-1", server, connections, requests, errors, 7)


def test_columns_are_found_by_their_names() -> None:
    reply = "# pxname,svname,rtime,hrsp_5xx,scur,stot,econ,eresp,\nspread-plain-1,a,12,1,3,40,2,4,\n\n"
    assert parse_servers(reply) == [ServerRow("spread-plain-1", "a", 3, 40, 7, 12)]


def test_an_error_of_haproxy_s_is_no_server() -> None:
    assert parse_servers("Unknown command. Please enter one of the following:\n a,b,c,d,e,f,g,h\n") == []


def test_counts_go_on_with_the_next_worker_and_those_of_the_former_one_count_until_it_ends() -> None:
    total = ServerSum()
    total.update(1, {1: [row(10, errors=2)]}, SLOTS)
    (after,) = total.update(2, {1: [row(11, errors=2)], 2: [row(3, errors=1)]}, SLOTS)
    assert after == ServerCount("default-web-80:spread-plain", "a", 14, 3, 0, 7)
    (later,) = total.update(2, {2: [row(5, errors=1)]}, SLOTS)
    assert (later.requests, later.errors) == (16, 3)


def test_a_former_worker_serves_with_its_slots_what_it_served_with_them() -> None:
    total = ServerSum()
    total.update(1, {1: [row(10)]}, SLOTS)
    (other,) = total.update(2, {1: [row(12)], 2: [row(1)]}, {"spread-plain-1": "other"})
    assert (other.backend, other.requests) == ("other", 1)


def test_a_worker_that_answers_again_is_not_counted_twice() -> None:
    total = ServerSum()
    total.update(1, {1: [row(10)]}, SLOTS)
    total.update(2, {2: [row(1)]}, SLOTS)
    assert [one.requests for one in total.update(2, {1: [row(10)], 2: [row(1)]}, SLOTS)] == [11]


def test_counts_go_on_where_a_server_came_back() -> None:
    total = ServerSum()
    total.update(1, {1: [row(10)]}, SLOTS)
    assert [one.requests for one in total.update(1, {1: [row(4)]}, SLOTS)] == [14]


def test_a_slot_that_serves_nothing_is_not_told_of() -> None:
    assert ServerSum().update(1, {1: [row(10)]}, {}) == ()


def test_connections_of_former_workers_count_wherever_the_server_stands_now() -> None:
    former = [row(9, connections=2), row(9, connections=1, server="gone"), row(9, server="idle")]
    assert ServerSum().update(1, {1: [row(1, connections=1)], 7: former}, SLOTS) == (
        ServerCount("default-web-80:spread-plain", "a", 1, 0, 3, 7),
        ServerCount("", "gone", 0, 0, 1, 0),
    )
