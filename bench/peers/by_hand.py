"""HAProxy with a configuration that is written by hand for the job, and for nothing else: the floor.

The same binary as Remora's, one thread. Hosts are looked up in one map; sessions are held by HAProxy's own cookie, which
names the server; the same headers are told to pods as Remora and ingress-nginx tell them. A change of the pods or routes is
a new file and a reload by the master, which is all that a configuration by hand knows; a pod that is going has the weight 0,
so that it keeps the sessions that name it.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence

from bench.measuring import BY_HAND_DEFAULTS, version_of
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Place, Proxy, Route, Site, family, replace
from remora.apply.binary import find_binary

_HEAD = (
    """\
global
  nbthread 1
  maxconn 8192
  stats socket {directory}/runtime.sock mode 600
  ssl-default-bind-options ssl-min-ver TLSv1.2
  tune.ssl.default-dh-param 2048
"""
    + BY_HAND_DEFAULTS
    + """\
backend counters
  stick-table type string len 40 size 20k store gpc(2)
frontend web
  bind 127.0.0.1:{http}
  bind 127.0.0.1:{https} ssl crt {certificate} alpn h2,http/1.1
  http-request set-header X-Original-Forwarded-For %[req.fhdr(X-Forwarded-For)] if {{ req.hdr(X-Forwarded-For) -m found }}
  http-request set-header X-Request-ID %[uuid(),regsub(-,,g)] if !{{ req.hdr(x-request-id) -m found }}
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-Scheme https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Scheme http if !{{ ssl_fc }}
  http-request set-header X-Scheme https if {{ ssl_fc }}
  http-request set-header X-Scheme http if !{{ ssl_fc }}
  http-request del-header Proxy
  http-request set-var(txn.backend) req.hdr(host),field(1,:),lower,map_str({directory}/hosts.map)
  http-request return status 404 if !{{ var(txn.backend) -m found }}
  http-request track-sc0 var(txn.backend) table counters
  http-after-response sc-inc-gpc(0,0) if {{ status 200 }}
  http-after-response del-header Server
  use_backend %[var(txn.backend)]
"""
)

_SHAPED = f"""\
  http-request set-var(txn.origin) req.hdr(origin)
  http-request return status 204 hdr Access-Control-Allow-Origin {ORIGIN} hdr Access-Control-Allow-Methods "GET, PUT, POST" \
hdr Access-Control-Allow-Credentials true hdr Access-Control-Max-Age 600 if METH_OPTIONS {{ req.hdr(origin) -m str {ORIGIN} }}
  http-request replace-path {PREFIX}(/|$)(.*) /\\2
  http-response set-header Access-Control-Allow-Origin {ORIGIN} if {{ var(txn.origin) -m str {ORIGIN} }}
  http-response set-header Access-Control-Allow-Credentials true if {{ var(txn.origin) -m str {ORIGIN} }}
  http-response set-header {ADDED_HEADER[0]} {ADDED_HEADER[1]}
"""


class ByHand(Proxy):
    name = "HAProxy by hand"
    settings = "one thread, one map of hosts, HAProxy's own cookie, no log; each change is a reload"

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        return version_of(str(find_binary(None)), "-v")

    def start(self, site: Site) -> None:
        write_configuration(self.place, site)
        directory = self.place.directory
        binary, socket = str(find_binary(None)), f"{directory}/master.sock,mode,600"
        self.children.start("haproxy", binary, "-W", "-S", socket, "-f", str(directory / "haproxy.cfg"))

    def finish(self) -> None:
        self.children.tell(signal.SIGUSR1)  # as the signal of its container image

    def processes(self) -> Sequence[int]:
        return tuple(family(self.children.pid("haproxy")))[1:]

    async def configure(self, site: Site) -> None:
        write_configuration(self.place, site)
        await self.reload()

    async def reload(self) -> bool:
        with contextlib.suppress(OSError):
            read, write = await asyncio.open_unix_connection(str(self.place.directory / "master.sock"))
            write.write(b"reload\n")
            await read.read()
            write.close()
        return True


def write_configuration(place: Place, site: Site) -> None:
    """Writes `haproxy.cfg` and its map of hosts."""
    (place.directory / "hosts.map").write_text("".join(f"{route.host} {route.name}\n" for route in site.routes))
    head = _HEAD.format(directory=place.directory, http=place.http, https=place.https, certificate=place.certificate)
    text = head + "".join("".join(_backend(route, site)) for route in site.routes)
    replace(place.directory / "haproxy.cfg", text)


def _backend(route: Route, site: Site) -> Iterator[str]:
    yield f"backend {route.name}\n  balance roundrobin\n"
    if route.sticky:
        yield f"  cookie {COOKIE} insert indirect preserve nocache\n"
    if route.shaped:
        yield _SHAPED
    for pod in site.pods:
        cookie = f" cookie {pod.name}" if route.sticky else ""
        yield f"  server {pod.name} {pod.address}:{route.port}{cookie}{' weight 0' if pod.going else ''}\n"
