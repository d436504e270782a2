"""The protocol spoken with pods, and TLS towards them (behaviour reference, part B, section 5)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


@dataclass(frozen=True, slots=True)
class BackendProtocol:
    """How pods are spoken to."""

    protocol: str = planned(
        "backend-protocol",
        "What pods speak: HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI.",
        inert=lambda text: text.strip().upper() == "HTTP",
    )
    http_version: str = planned(
        "proxy-http-version",
        "The version of HTTP spoken with pods.",
        global_key="proxy-http-version",
        inert=lambda text: text.strip() == "1.1",
    )
    fastcgi_index: str = planned("fastcgi-index", "The file that stands for a folder in FastCGI.", risk=Risk.MEDIUM)
    fastcgi_params: str = planned("fastcgi-params-configmap", "The ConfigMap with FastCGI's parameters.", risk=Risk.MEDIUM)


@dataclass(frozen=True, slots=True)
class BackendTls:
    """How pods that speak TLS are verified, and what they are shown."""

    secret: str = planned("proxy-ssl-secret", "The Secret with our certificate and their CA.", risk=Risk.MEDIUM)
    verify: str = planned("proxy-ssl-verify", "Whether pods' certificates are verified.")
    verify_depth: str = planned("proxy-ssl-verify-depth", "How long their chain may be.")
    ciphers: str = planned("proxy-ssl-ciphers", "The ciphers used with pods.", risk=Risk.MEDIUM)
    protocols: str = planned("proxy-ssl-protocols", "The TLS versions used with pods.")
    name: str = planned("proxy-ssl-name", "The name that is verified and sent.", risk=Risk.HIGH)
    server_name: str = planned("proxy-ssl-server-name", "Whether the name is sent (SNI).")
