"""SPDY/3.1 frames, in pieces as a connection brings them."""

import zlib

import pytest

from remora.cluster.api.streams.spdy import (
    Data,
    Event,
    Framer,
    GoneAway,
    Opened,
    Pinged,
    Reset,
    SpdyError,
    dictionary,
    render_data,
    render_ping,
    render_reset,
)


def parsed(data: bytes, *, by: int = 1 << 20) -> list[Event]:
    framer = Framer()
    return [event for at in range(0, len(data), by) for event in framer.parse(data[at : at + by])]


def test_the_dictionary_is_that_of_the_specification() -> None:
    # What zlib puts into the header of a stream that was compressed with it.
    assert zlib.adler32(dictionary()) == 0xE3C6A7C2


@pytest.mark.parametrize("by", [1, 7, 1 << 20])
def test_frames_are_read_however_they_arrive(by: int) -> None:
    client = Framer()
    sent = client.open(1, {"streamtype": "error", "port": "80"}) + client.open(3, {"streamtype": "data", "port": "80"})
    sent += render_data(3, b"hello") + render_ping(5) + render_reset(1) + render_data(3, b"", is_last=True)
    assert parsed(sent, by=by) == [
        Opened(1, {"streamtype": "error", "port": "80"}),
        Opened(3, {"streamtype": "data", "port": "80"}),
        Data(3, b"hello"),
        Pinged(5),
        Reset(1),
        Data(3, b"", is_last=True),
    ]


def test_much_data_goes_in_several_frames_of_which_the_last_ends_the_stream() -> None:
    found = [event for event in parsed(render_data(1, b"x" * 100_000, is_last=True)) if isinstance(event, Data)]
    assert b"".join(event.data for event in found) == b"x" * 100_000
    assert [event.is_last for event in found] == [False, False, False, True]


def test_a_reply_is_one_that_the_client_can_read() -> None:
    reply = Framer().reply(1)
    assert reply[:4] == b"\x80\x03\x00\x02"
    assert zlib.decompressobj(zdict=dictionary()).decompress(reply[12:]) == b"\0\0\0\0"


def test_frames_that_nobody_needs_are_passed_over() -> None:
    settings = b"\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x00"
    going = b"\x80\x03\x00\x07\x00\x00\x00\x08" + bytes(8)
    assert parsed(settings + going) == [GoneAway()]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01",
        b"\x80\x03\x00\x06\x00\x00\x00\x00",
        b"\x80\x03\x00\x01\x00\x00\x00\x0c" + bytes(12),
        b"\x80\x03\x00\x01\x00\xff\xff\xff",
    ],
    ids=["HTTP", "another version", "too short", "no headers", "too long"],
)
def test_what_is_no_spdy_ends_the_connection(data: bytes) -> None:
    with pytest.raises(SpdyError):
        parsed(data)


def test_headers_that_would_unpack_to_megabytes_are_refused() -> None:
    with pytest.raises(SpdyError, match="too long"):
        parsed(Framer().open(1, {"streamtype": "x" * 1_000_000}))


def test_headers_that_say_they_are_longer_than_they_are_are_refused() -> None:
    packer = zlib.compressobj(zdict=dictionary())
    block = packer.compress(b"\0\0\0\x01\0\0\xff\xff") + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(SpdyError):
        parsed(b"\x80\x03\x00\x01" + (10 + len(block)).to_bytes(4, "big") + bytes(10) + block)
