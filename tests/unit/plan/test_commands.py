"""Commands, and what counts as done."""

from hypothesis import given
from hypothesis import strategies as st

from remora.haproxy.command import Command
from remora.haproxy.configuration import Server, ServerName
from remora.haproxy.pool import Slot
from remora.plan import commands
from remora.plan.commands import PAYLOAD_BYTES


def test_only_the_expected_reply_counts_as_done() -> None:
    server = Server(ServerName("s"), "::1", 80, 7)
    added, ready = commands.add_server(Slot("b"), server)
    assert added.text == "add server b/s [::1]:80 id 7 weight 16"
    assert added.is_done("New server registered.\n")
    assert not added.is_done("Already exists a server with the same name in backend.")
    assert ready.text == "set server b/s state ready"
    assert ready.is_done("")


def test_a_word_keeps_its_blanks_and_semicolons() -> None:
    assert commands.set_entry("m", "k", "a; b\\c").text == "set map m k a\\;\\ b\\\\c"


@given(st.dictionaries(st.text("abc", min_size=1), st.text("xyz ", max_size=400), max_size=300))
def test_payloads_hold_every_entry_once_and_fit_into_a_buffer(entries: dict[str, str]) -> None:
    batches = list(commands.add_entries("m", entries))
    assert all(len(batch.payload) <= PAYLOAD_BYTES + 500 for batch in batches)
    lines = [line for batch in batches for line in batch.payload.split("\n")]
    assert lines == [f"{key} {value}" for key, value in entries.items()]


def test_a_pem_has_no_blank_line_on_its_way() -> None:
    _, content, commit = commands.load_certificate("p", b"A\n\nB\n", is_new=True)
    assert content.payload == "A\nB"
    assert commit.is_done("Committing p.\nSuccess!")
    assert not commit.is_done("Committing p\nFailed!")


def test_a_command_without_a_pattern_wants_silence() -> None:
    assert Command("del map m k").is_done("\n")
    assert not Command("del map m k").is_done("entry not found.")


def test_what_is_told_of_a_command_has_no_value_of_an_entry() -> None:
    command = commands.set_entry("maps/passwords.map", "route/616E6E", "sha1:c0ffee:")
    assert command.shown == "set map maps/passwords.map route/616E6E"
    assert commands.delete_entry("maps/x.map", "a").shown == "del map maps/x.map a"
