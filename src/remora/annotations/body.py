"""Bodies and buffers (behaviour reference, part B, section 4)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import Risk, Support, annotation
from remora.annotations.values import ValueRefused, choice, integer, shown, trimmed

_SHIFTS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30}
_LARGEST = 1 << 50
_BUFFERS = "HAProxy has buffers of one size, and nothing of a body goes to disk."


def byte_size(text: str) -> int:
    """Bytes: a whole number, alone or with `b`, `k`, `m` or `g` behind it in either case; blanks mean nothing."""
    value = re.sub(r"\s", "", trimmed(text))
    found = re.fullmatch(r"([0-9]{1,15})([bkmg]?)", value.lower())
    size = int(found[1]) << _SHIFTS[found[2]] if found else -1
    if not 0 <= size <= _LARGEST:
        raise ValueRefused(f"{shown(value)} is not a size such as 512k, 10m or 1g")
    return size


def _idle(name: str, doc: str, *, differs: str = _BUFFERS, accepts: tuple[str, ...], is_size: bool = True) -> str:
    def parse(text: str) -> str:
        value = trimmed(text)
        if is_size:
            byte_size(value)
        return value

    return annotation(
        name,
        parse,
        default="",
        global_key=name,
        doc=doc,
        support=Support.WITHOUT_EFFECT,
        differs=differs,
        accepts=accepts,
        refuses=("lots",) if is_size else ("",),
    )


def _count(text: str) -> str:
    return str(integer(trimmed(text)))


@dataclass(frozen=True, slots=True)
class Body:
    """How large a request may be, and what is kept of it on the way."""

    max_size: int = annotation(
        "proxy-body-size",
        byte_size,
        default=1 << 20,
        risk=Risk.MEDIUM,
        global_key="proxy-body-size",
        doc="The largest body of a request; a larger one is answered with 413. `0` sets no limit.",
        support=Support.PARTIAL,
        differs="A body of unknown length (chunked, or HTTP/2 without Content-Length) is counted while it is passed on, and "
        "cut off at the limit with 413; on hosts that ask for a client certificate, only what arrives with the headers counts.",
        accepts=("10m", "0", "8000M", "1 g", "512K", "100", "10G", "5b"),
        refuses=("10mb", "-1", "1.5m", "", "m"),
        haproxy=("http-request deny",),
    )
    client_buffer: str = _idle("client-body-buffer-size", "The buffer for the body.", accepts=("8k", "1M"))
    request_buffering: str = annotation(
        "proxy-request-buffering",
        choice("on", "off"),
        default="on",
        global_key="proxy-request-buffering",
        doc="Whether the whole body is read before the pod is asked.",
        support=Support.WITHOUT_EFFECT,
        differs="Bodies are passed on while they arrive, as with `off`. A slow upload takes a connection to its pod.",
        accepts=("on", "off"),
        refuses=("true", ""),
    )
    buffering: str = annotation(
        "proxy-buffering",
        choice("on", "off"),
        default="off",
        global_key="proxy-buffering",
        doc="Whether the response is buffered.",
        support=Support.WITHOUT_EFFECT,
        differs="Responses are passed on while they arrive, as with `off`, which is the default there too.",
        accepts=("on", "off"),
        refuses=("true", ""),
    )
    buffers_number: str = annotation(
        "proxy-buffers-number",
        _count,
        default="4",
        global_key="proxy-buffers-number",
        doc="How many buffers a response has.",
        support=Support.WITHOUT_EFFECT,
        differs=_BUFFERS,
        accepts=("8",),
        refuses=("8k", ""),
    )
    buffer_size: int = annotation(
        "proxy-buffer-size",
        byte_size,
        default=4096,
        global_key="proxy-buffer-size",
        doc="How large the headers of a response may be; more is answered with 502.",
        support=Support.PARTIAL,
        differs="Headers of up to 15 kB pass whatever it says. For larger ones set it, or `large-client-header-buffers`, in "
        "the controller's ConfigMap: HAProxy's every buffer grows with it, to 256 kB at most.",
        accepts=("8k", "128k"),
        refuses=("8kb", ""),
        haproxy=("tune.bufsize",),
    )
    busy_buffers_size: str = _idle(
        "proxy-busy-buffers-size", "How much may be on its way to the client.", accepts=("256k", "0")
    )
    max_temp_file_size: str = _idle("proxy-max-temp-file-size", "How much of a response goes to disk.", accepts=("1024m", "0"))
    push_preload: str = _idle(
        "http2-push-preload", "HTTP/2 push.", differs="Browsers take none any more.", accepts=("true",), is_size=False
    )
