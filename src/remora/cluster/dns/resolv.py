"""The resolv.conf of a pod, as `dnsPolicy` and `dnsConfig` ask for it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NDOTS = "ndots:5"


def resolv_conf(pod: Mapping[str, Any], machine: str, *, server: str, zone: str) -> str:
    """The text; `machine` is the machine's own, `server` the address of the cluster's DNS."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    config: Mapping[str, Any] = spec.get("dnsConfig") or {}
    if policy == "Default" or (policy == "ClusterFirst" and spec.get("hostNetwork")):
        servers, search, options = _words(machine, "nameserver"), _words(machine, "search"), _words(machine, "options")
    elif policy == "None":
        servers, search, options = [], [], []
    else:
        namespace = pod["metadata"]["namespace"]
        own = [f"{namespace}.svc.{zone}", f"svc.{zone}", zone]
        servers, search, options = [server], [*own, *_words(machine, "search")], [_NDOTS]
    lines = [
        *(f"nameserver {address}" for address in [*servers, *(config.get("nameservers") or ())][:3]),
        *_line("search", [*search, *(config.get("searches") or ())]),
        *_line("options", _merged(options, config.get("options") or ())),
    ]
    return "\n".join(lines) + "\n"


def _words(text: str, keyword: str) -> list[str]:
    """What follows a keyword; of `search` and `options` the last line counts, servers have a line each."""
    found = [line.split()[1:] for line in text.splitlines() if line.split()[:1] == [keyword]]
    if keyword == "nameserver":
        return [words[0] for words in found if words]
    return found[-1] if found else []


def _merged(options: Sequence[str], given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Options of the pod replace those of the same name."""
    merged = {option.partition(":")[0]: option for option in options}
    for option in given:
        name, value = option.get("name", ""), option.get("value")
        merged[name] = f"{name}:{value}" if value not in (None, "") else name
    return list(merged.values())


def _line(keyword: str, words: Sequence[str]) -> Iterator[str]:
    if words:
        yield f"{keyword} {' '.join(dict.fromkeys(words))}"
