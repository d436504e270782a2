from remora.apply.connections import ConnectionReader, slots_with
from remora.apply.info import has_requests
from remora.haproxy.configuration import Server, ServerName
from remora.haproxy.pool import Slot
from remora.plan.running import Running

REPLY = b"""# pxname,svname,qcur,qmax,scur,smax,slim
persistent-plain-1,aa,0,0,3,4,,
persistent-plain-1,bb,0,0,7,9,,
hashed-rich-2,aa,0,0,2,2,,
hashed-rich-2,aab,0,0,9,9,,

"""


def test_what_the_servers_have_is_added_up_wherever_the_reply_is_cut() -> None:
    for size in (1, 7, 40, len(REPLY)):
        reader = ConnectionReader({"aa"})
        for begin in range(0, len(REPLY), size):
            reader.feed(REPLY[begin : begin + size])
        assert reader.finish() == 5


def test_an_error_of_haproxy_counts_nothing() -> None:
    reader = ConnectionReader({"aa"})
    reader.feed(b"No such proxy.\n")
    assert reader.finish() == 0


def test_a_reply_has_requests_if_one_of_its_lines_has_some() -> None:
    head = "# pxname,svname,qcur,qmax,scur,smax,slim,\n"
    assert not has_requests(f"{head}spread-plain-1,BACKEND,0,0,0,9,,\n\n")
    assert has_requests(f"{head}spread-plain-1,BACKEND,0,0,0,9,,\npersistent-plain-1,BACKEND,0,0,1,9,,\n\n")
    assert not has_requests("No such worker.\n")


def test_a_server_is_looked_for_where_it_stands_and_where_it_is_leaving() -> None:
    aa, bb = (Server(ServerName(name), "10.0.0.1", 80, 1) for name in ("aa", "bb"))
    running = Running(
        digest="",
        slots={"web": Slot("p-1"), "api": Slot("p-2")},
        servers={"web": (aa, bb), "api": (bb,)},
        leaving={Slot("p-3"): (aa,), Slot("p-4"): (bb,)},
    )
    assert list(slots_with(running, {"aa"})) == ["p-1", "p-3"]
