"""What Remora is compared with: a module for each, which knows how to start, change and end it, and what makes it fast."""

from bench.peers.by_hand import ByHand
from bench.peers.caddy import Caddy
from bench.peers.envoy import Envoy
from bench.peers.nginx_lua import NginxLua
from bench.peers.remora import Remora
from bench.peers.site import Proxy
from bench.peers.traefik import Traefik

PEERS: tuple[type[Proxy], ...] = (Remora, ByHand, NginxLua, Envoy, Traefik, Caddy)
OURS = Remora.name
