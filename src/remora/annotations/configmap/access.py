"""Who and what is refused, and what Ingresses may say (behaviour reference, configuration, section 2.1)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import matches, networks
from remora.annotations.declare import global_setting, idle_setting
from remora.annotations.values import boolean

_OFF = ("0", "f", "false", "off")
_ON = ("1", "t", "true", "on")


@dataclass(frozen=True, slots=True)
class Access:
    """What holds for all requests or all Ingresses."""

    block_cidrs: tuple[str, ...] = global_setting(
        "block-cidrs",
        networks,
        default=(),
        guards=True,
        doc="Clients from these networks get 403, whatever a route allows.",
        accepts=("203.0.113.0/24,2001:db8::/32", "192.0.2.1"),
        refuses=("192.0.2.0/33", "example.com", "192.0.2.1\n}"),
        haproxy=("http-request deny",),
    )
    block_user_agents: tuple[str, ...] = global_setting(
        "block-user-agents",
        matches,
        default=(),
        guards=True,
        doc="Requests with these User-Agents get 403: the whole text, or after `~` (in any case, `~*`) a regular expression.",
        accepts=("~*bot,curl/8.0", "Bad Agent"),
        refuses=("a\x00b", "x" * 300, "~"),
        haproxy=("http-request deny",),
    )
    block_referers: tuple[str, ...] = global_setting(
        "block-referers",
        matches,
        default=(),
        guards=True,
        doc="Requests with these Referers get 403; written as `block-user-agents`.",
        accepts=("~*spam[.]example",),
        refuses=("a\x7fb", "~*"),
        haproxy=("http-request deny",),
    )
    cross_namespace: bool = global_setting(
        "allow-cross-namespace-resources",
        boolean,
        default=False,
        doc="Lets annotations name Secrets and ConfigMaps of other namespaces.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    strict_path_type: str = idle_setting(
        "strict-validate-path-type",
        "Refuses Exact and Prefix paths with odd characters.",
        "The webhook refuses them; at run time no path can harm the proxy's configuration, whatever its characters.",
    )
