"""How requests without a session are spread (behaviour reference, part A, sections 3 and 12.4)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation
from remora.annotations.values import ValueRefused, boolean, choice, integer, shown, trimmed

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_KNOWN = re.compile(
    r"request_uri|uri|args|query_string|host|remote_addr|binary_remote_addr|scheme|server_port|request_method"
    r"|(?P<kind>http|cookie|arg)_\w+",
    re.ASCII,
)
_MOST_OF_A_KIND = 2

USUAL_SUBSET = 3
_LARGEST_SUBSET = 10_000

CONSTANT = ""
"""The name that stands for a text without variables, by which all requests are the same."""


def variables(text: str) -> tuple[str, ...]:
    """The nginx variables in a text of letters, digits, blanks and `- _ $ { }`; what stands between them means nothing."""
    expression = trimmed(text)
    if not re.fullmatch(r"[A-Za-z0-9\-_${} ]*", expression) or re.search(r"[${}]", _VARIABLE.sub("", expression)):
        raise ValueRefused(f"{shown(text)} is not made of nginx variables and of letters, digits, - and _")
    names = tuple(dict.fromkeys((braced or bare).lower() for braced, bare in _VARIABLE.findall(expression)))
    kinds = []
    for name in names:
        known = _KNOWN.fullmatch(name)
        if not known:
            raise ValueRefused(f"the variable ${name} is not known here")
        kinds.append(known["kind"])
    if any(kinds.count(kind) > _MOST_OF_A_KIND for kind in ("http", "cookie", "arg")):
        raise ValueRefused(f"{shown(text)} names more than {_MOST_OF_A_KIND} headers, cookies or arguments")
    return names or (CONSTANT,)


def subset_size(text: str) -> int:
    """How many pods; 0 is the usual number."""
    value = integer(trimmed(text))
    if not 0 <= value <= _LARGEST_SUBSET:
        raise ValueRefused(f"{value} is not a number from 0 to {_LARGEST_SUBSET}")
    return value or USUAL_SUBSET


@dataclass(frozen=True, slots=True)
class Balancing:
    """How a backend's endpoints are found and chosen."""

    algorithm: str = annotation(
        "load-balance",
        choice("round_robin", "ewma"),
        default="round_robin",
        scope=Scope.BACKEND,
        global_key="load-balance",
        support=Support.PARTIAL,
        differs="`ewma` gives a request to the pod with the fewest connections; response times are not measured.",
        doc="How requests are spread: `round_robin` or `ewma`. Affinity and `upstream-hash-by` go before it.",
        accepts=("round_robin", "ewma"),
        refuses=("least_conn", "ip_hash", ""),
        haproxy=("balance roundrobin", "balance leastconn"),
    )
    hash_by: tuple[str, ...] = annotation(
        "upstream-hash-by",
        variables,
        default=(),
        scope=Scope.BACKEND,
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="The variables named in the list of accepted examples are known, and at most two headers, two cookies and two "
        "arguments; the ring is another one than in ingress-nginx, and a pod that refuses a request is replaced by another.",
        doc="Requests for which the variables in this text have the same values go to the same pod. Affinity goes before it.",
        accepts=(
            "$request_uri",
            "$uri",
            "$args",
            "$host",
            "$remote_addr",
            "$binary_remote_addr",
            "$scheme",
            "$request_method",
            "$http_x_user",
            "${cookie_user}-$arg_tenant",
            "constant",
        ),
        refuses=("$request_uri;", "$upstream_addr", "$", "${host", "$http_a$http_b$http_c", ""),
        haproxy=("balance hash", "hash-type consistent"),
    )
    hash_by_subset: bool = annotation(
        "upstream-hash-by-subset",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        support=Support.PARTIAL,
        differs="Each value has a subset of its own; in ingress-nginx the pods are cut into fixed groups.",
        doc="Requests that `upstream-hash-by` takes for the same go to a random one of a few pods instead of to one.",
        accepts=("true", "false"),
        refuses=("yes", ""),
        haproxy=("use-server", "lua.choose_of_subset"),
    )
    hash_by_subset_size: int = annotation(
        "upstream-hash-by-subset-size",
        subset_size,
        default=USUAL_SUBSET,
        scope=Scope.BACKEND,
        doc="How many pods a subset has; 0 means 3. Where there are fewer, all of them.",
        accepts=("3", "10", "0"),
        refuses=("three", "-1", ""),
    )
    service_upstream: bool = annotation(
        "service-upstream",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        global_key="service-upstream",
        support=Support.PARTIAL,
        differs="Ingresses that disagree on one Service port each get what they ask for.",
        doc="Sends requests to the Service's cluster address instead of its pods; those of a headless Service go to its pods. "
        "A session cookie then means nothing, since it names the one address.",
        accepts=("true", "false"),
        refuses=("yes", ""),
        haproxy=("add server",),
    )
