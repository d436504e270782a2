"""Authentication by another service (behaviour reference, part B, section 1)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, is_off, planned


@dataclass(frozen=True, slots=True)
class AuthExternal:
    """Which service is asked about every request, and what is done with its answer."""

    url: str = planned(
        "auth-url",
        "The URL that is asked whether a request may pass.",
        guards=True,
        risk=Risk.HIGH,
        global_key="global-auth-url",
    )
    method: str = planned("auth-method", "The method with which it is asked.", guards=True)
    response_headers: str = planned(
        "auth-response-headers", "Headers of the answer that the pod gets.", guards=True, risk=Risk.MEDIUM
    )
    proxy_set_headers: str = planned(
        "auth-proxy-set-headers", "The ConfigMap with headers for the question.", guards=True, risk=Risk.MEDIUM
    )
    always_set_cookie: str = planned("auth-always-set-cookie", "Passes cookies of the answer whatever the status.", guards=True)
    signin: str = planned("auth-signin", "Where a client that must sign in is sent.", guards=True, risk=Risk.HIGH)
    signin_redirect_param: str = planned(
        "auth-signin-redirect-param", "The query parameter that tells the way back.", guards=True, risk=Risk.MEDIUM
    )
    request_redirect: str = planned(
        "auth-request-redirect", "The header X-Auth-Request-Redirect of the question.", guards=True, risk=Risk.MEDIUM
    )
    cache_key: str = planned("auth-cache-key", "The key under which answers are kept.", guards=True, risk=Risk.MEDIUM)
    cache_duration: str = planned("auth-cache-duration", "How long answers are kept.", guards=True, risk=Risk.MEDIUM)
    keepalive: str = planned("auth-keepalive", "How many connections to the service stay open.", guards=True)
    keepalive_requests: str = planned("auth-keepalive-requests", "How many questions one connection takes.", guards=True)
    keepalive_timeout: str = planned("auth-keepalive-timeout", "Seconds for which an idle connection stays open.", guards=True)
    keepalive_share_vars: str = planned(
        "auth-keepalive-share-vars", "Shares nginx's variables with the question.", guards=True, inert=is_off
    )
    snippet: str = planned("auth-snippet", "nginx configuration for the question.", guards=True, risk=Risk.CRITICAL)
    global_auth: str = planned(
        "enable-global-auth",
        "`false` leaves the Ingress out of the authentication that the ConfigMap asks for.",
        inert=lambda _: True,  # it opens nothing yet: the ConfigMap's key closes every route
    )
