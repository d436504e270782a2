"""Headers of all requests and answers (behaviour reference, configuration, sections 2.1, 2.3 and 2.5)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import header_name_list
from remora.annotations.declare import Support, global_setting, planned_setting
from remora.annotations.values import boolean


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
    set_headers: str = planned_setting("proxy-set-headers", "The ConfigMap whose data are headers of every request to pods.")
    add_headers: str = planned_setting("add-headers", "The ConfigMap whose data are headers of every answer.")
