"""The process (behaviour reference, configuration, section 2.9)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import nginx_time, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import ValueRefused, shown, trimmed

_INTERNAL = "It is about the inside of nginx."


def grace(text: str) -> int:
    """A time of at least a second."""
    found = nginx_time(text)
    if not found:
        raise ValueRefused(f"{shown(text)} would cut off every request")
    return found


def workers(text: str) -> int:
    """A number of processes, which are threads here; 0 for `auto`."""
    return 0 if trimmed(text) == "auto" else whole(0, 64)(text)


@dataclass(frozen=True, slots=True)
class Process:
    """How large HAProxy may grow, and how it ends."""

    workers: int = global_setting(
        "worker-processes",
        workers,
        default=0,
        doc="Threads of HAProxy; `auto` for one per processor. The flag `--threads` goes before it.",
        accepts=("4",),
        refuses=("many", "-1", "1000"),
        haproxy=("nbthread",),
    )
    shutdown_timeout: int = global_setting(
        "worker-shutdown-timeout",
        grace,
        default=240,
        doc="How long a worker of before a reload, and HAProxy when it is stopped, may finish its connections.",
        accepts=("10s", "4m", "1h 30m"),
        refuses=("soon", "10 }", "100d", "0"),
        haproxy=("hard-stop-after",),
    )
    connections: int = global_setting(
        "max-worker-connections",
        whole(0, 1_000_000),
        default=0,
        support=Support.PARTIAL,
        differs="It is the number of clients of the whole process; 0 lets HAProxy derive it from the limit on open files.",
        doc="How many connections there may be at once; more wait.",
        accepts=("65536",),
        refuses=("many", "-1"),
        haproxy=("maxconn",),
    )
    open_files: str = idle_setting("max-worker-open-files", "Open files.", "HAProxy takes what its connections need.")
    serial_reloads: str = idle_setting("enable-serial-reloads", "One reload at a time.", "It is never otherwise.")
    affinity: str = idle_setting("worker-cpu-affinity", "Which worker runs where.", _INTERNAL)
    multi_accept: str = idle_setting("enable-multi-accept", "Takes all new connections at once.", _INTERNAL)
    aio_write: str = idle_setting("enable-aio-write", "Writes files asynchronously.", _INTERNAL)
    map_bucket: str = idle_setting("map-hash-bucket-size", "A hash table.", _INTERNAL)
    names_max: str = idle_setting("server-name-hash-max-size", "A hash table.", _INTERNAL)
    names_bucket: str = idle_setting("server-name-hash-bucket-size", "A hash table.", _INTERNAL)
    headers_max: str = idle_setting("proxy-headers-hash-max-size", "A hash table.", _INTERNAL)
    headers_bucket: str = idle_setting("proxy-headers-hash-bucket-size", "A hash table.", _INTERNAL)
    variables_bucket: str = idle_setting("variables-hash-bucket-size", "A hash table.", _INTERNAL)
    variables_max: str = idle_setting("variables-hash-max-size", "A hash table.", _INTERNAL)
    lua_dicts: str = idle_setting("lua-shared-dicts", "Sizes of Lua's shared memory.", _INTERNAL)
    status_ipv4: str = idle_setting("nginx-status-ipv4-whitelist", "Who may read nginx's status.", "There is no such page.")
    status_ipv6: str = idle_setting("nginx-status-ipv6-whitelist", "Who may read nginx's status.", "There is no such page.")
    main_snippet: str = idle_setting("main-snippet", "Configuration of nginx for everything.", _INTERNAL)
    stream_snippet: str = idle_setting("stream-snippet", "Configuration of nginx for TCP.", "There is no nginx here.")
