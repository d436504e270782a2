"""Keys and values of maps."""

import re

from hypothesis import given
from hypothesis import strategies as st

from remora.apply.adopt import parse_map, parse_record
from remora.haproxy.maps import RouteRecord, encode_path, encode_record, exact_key, prefix_key, regex_key
from remora.haproxy.pool import Slot

paths = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: "/" + re.sub("/+", "/", text).strip("/"))
names = st.text("abcdefgh-:@.0123456789", min_size=1)


@given(paths)
def test_an_encoded_path_is_one_word_and_can_be_decoded(path: str) -> None:
    encoded = encode_path(path)
    assert not re.search(r"[\x00-\x20\x7f]", encoded)
    assert re.sub("%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), encoded) == path


@given(paths, paths)
def test_a_key_of_an_exact_path_begins_no_request_for_another(path: str, other: str) -> None:
    assert exact_key("h", other).startswith(exact_key("h", path)) == (path == other)


@given(paths)
def test_an_exact_key_is_longer_than_a_prefix_key_of_the_same_text(path: str) -> None:
    assert exact_key("h", path).startswith(prefix_key("h", path))
    assert exact_key("h", path) != prefix_key("h", path)


@given(names, names, names, names, st.booleans(), st.booleans())
def test_a_record_is_read_back_as_it_was(tls: str, http: str, route: str, cookie: str, agent: bool, canary: bool) -> None:
    record = RouteRecord(tls, http, route, cookie, agent, canary)
    text = encode_record(record, {tls: Slot("slot-1")})
    assert parse_record(text, {Slot("slot-1"): tls}) == record


def test_map_entries_are_read_back_with_blanks_in_their_values() -> None:
    assert parse_map("0x1 key a b; c\n0x2 other \n") == [("key", "a b; c"), ("other", "")]


def test_a_pattern_has_no_blank_and_begins_at_the_path() -> None:
    assert regex_key("web.example", r"/a\ b\\ c").endswith(r"(?:/a\x20b\\\x20c)")
    key = regex_key("web.example", "^/a b|/c")
    assert " " not in key
    assert re.match(key, "web.example/a b")
    assert re.match(key, "web.example/C")
    assert not re.match(key, "webxexample/c")
