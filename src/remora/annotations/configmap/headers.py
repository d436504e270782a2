"""Headers of all requests and answers (behaviour reference, configuration, sections 2.1, 2.3 and 2.5)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import alphabet, header_name_list
from remora.annotations.declare import Support, global_setting
from remora.annotations.values import boolean

_REFERENCE = alphabet(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}", "namespace/name of a ConfigMap")


@dataclass(frozen=True, slots=True)
class GlobalHeaders:
    """What is set, kept and taken away everywhere."""

    hide: tuple[str, ...] = global_setting(
        "hide-headers",
        header_name_list,
        default=(),
        doc="Headers of pods that clients do not get.",
        accepts=("X-Powered-By,X-AspNet-Version",),
        refuses=("a b", "X-A\nX-B: {"),
        haproxy=("http-response del-header",),
    )
    server_tokens: bool = global_setting(
        "server-tokens",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="HAProxy has no `Server` header of its own; `true` lets that of the pod through.",
        doc="`false` takes the header `Server` off every answer.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("http-response del-header",),
    )
    backend_server: bool = global_setting(
        "allow-backend-server-header",
        boolean,
        default=False,
        doc="`true` lets the `Server` header of the pod through.",
        accepts=("true",),
        refuses=("on",),
    )
    request_id: bool = global_setting(
        "generate-request-id",
        boolean,
        default=True,
        doc="Gives requests without an `X-Request-ID` one.",
        accepts=("false",),
        refuses=("off",),
        haproxy=("http-request set-header",),
    )
    original_uri: bool = global_setting(
        "proxy-add-original-uri-header",
        boolean,
        default=False,
        doc="Tells pods the URI as the client wrote it in `X-Original-URI`.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("http-request set-header",),
    )
    set_headers: str = global_setting(
        "proxy-set-headers",
        _REFERENCE,
        default="",
        support=Support.PARTIAL,
        differs="Values know `$remote_addr`, `$host`, `$http_host`, `$scheme`, `$request_uri`, `$request_method`, "
        "`$ssl_protocol`, `$ssl_cipher` and `$http_NAME`; a header with another variable is left out. Of a header that a "
        "route sets itself, the route's counts.",
        doc="The ConfigMap whose data are headers of every request to pods.",
        accepts=("default/headers",),
        refuses=("headers", "a/b/c", "a/b }"),
        haproxy=("http-request set-header",),
    )
    add_headers: str = global_setting(
        "add-headers",
        _REFERENCE,
        default="",
        support=Support.PARTIAL,
        differs="Of variables it knows `$remote_addr`, `$scheme`, `$ssl_protocol` and `$ssl_cipher`; a header with another one "
        "is left out, with a Problem.",
        doc="The ConfigMap whose data are headers of every answer.",
        accepts=("default/headers",),
        refuses=("headers",),
        haproxy=("http-after-response set-header",),
    )
