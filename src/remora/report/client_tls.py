"""What becomes of a request on account of the certificate that its client shows. Pure."""

from remora.model import ClientCheck, Route


def client_refusal(route: Route, *, scheme: str) -> str:
    """Why no client gets in by such a request, "" if some do; which ones stands among the policies."""
    clients = route.client_tls
    if clients is None:
        return ""
    if clients.check is ClientCheck.REFUSED:
        return "403: clients cannot be asked for a certificate; the problems of its Ingress say why"
    if scheme == "http" and not route.https_redirect and clients.check is ClientCheck.DEMANDED:
        status = f"302 to {clients.error_page}" if clients.error_page else "400"
        return f"{status}: no certificate can be shown over http"
    return ""
