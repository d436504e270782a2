"""Bodies and buffers (behaviour reference, part B, section 4)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, planned


@dataclass(frozen=True, slots=True)
class Body:
    """How large a request may be, and what is kept of it on the way."""

    max_size: str = planned(
        "proxy-body-size",
        "The largest body of a request.",
        risk=Risk.MEDIUM,
        global_key="proxy-body-size",
        inert=lambda text: text.strip() in ("0", "0m"),
    )
    client_buffer: str = planned("client-body-buffer-size", "The buffer for the body.", global_key="client-body-buffer-size")
    request_buffering: str = planned(
        "proxy-request-buffering",
        "Whether the whole body is read before the pod is asked.",
        global_key="proxy-request-buffering",
        inert=lambda text: text.strip() == "off",
    )
    buffering: str = planned(
        "proxy-buffering",
        "Whether the response is buffered.",
        global_key="proxy-buffering",
        inert=lambda text: text.strip() == "off",
    )
    buffers_number: str = planned("proxy-buffers-number", "How many buffers a response has.", global_key="proxy-buffers-number")
    buffer_size: str = planned("proxy-buffer-size", "The buffer for a response's headers.", global_key="proxy-buffer-size")
    busy_buffers_size: str = planned(
        "proxy-busy-buffers-size", "How much may be on its way to the client.", global_key="proxy-busy-buffers-size"
    )
    max_temp_file_size: str = planned(
        "proxy-max-temp-file-size", "How much of a response goes to disk.", global_key="proxy-max-temp-file-size"
    )
    push_preload: str = planned("http2-push-preload", "HTTP/2 push, which is no more.", scope=Scope.HOST, inert=lambda _: True)
