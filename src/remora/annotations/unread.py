"""Names that stand on Ingresses and that ingress-nginx does not read: any more, or that it never did.

They are known so that their author can be told what was meant instead of nothing, and so that none of them costs a route
(behaviour reference, part A, section 1.7, and the counts of public manifests).
"""

from dataclasses import make_dataclass

from remora.annotations.declare import unread

_GONE = {
    "add-base-url": "The application must know its own base.",
    "base-url-scheme": "The application must know its own base.",
    "enable-influxdb": "Metrics are told to Prometheus.",
    "enable-opentracing": "`enable-opentelemetry` is what came of it.",
    "global-rate-limit": "`limit-rps` or `limit-rpm` with `remora.io/limit-scope: cluster` counts over all replicas.",
    "global-rate-limit-ignored-cidrs": "`limit-allowlist` has the addresses without limits.",
    "global-rate-limit-key": "Requests are counted by address.",
    "global-rate-limit-window": "`limit-rps` counts by the second, `limit-rpm` by the minute.",
    "grpc-backend": "`backend-protocol: GRPC` says it.",
    "influxdb-host": "Metrics are told to Prometheus.",
    "influxdb-measurement": "Metrics are told to Prometheus.",
    "influxdb-port": "Metrics are told to Prometheus.",
    "influxdb-server-name": "Metrics are told to Prometheus.",
    "lua-resty-waf": "There is no firewall.",
    "lua-resty-waf-allow-unknown-content-types": "There is no firewall.",
    "lua-resty-waf-debug": "There is no firewall.",
    "lua-resty-waf-extra-rules": "There is no firewall.",
    "lua-resty-waf-ignore-rulesets": "There is no firewall.",
    "lua-resty-waf-process-multipart-body": "There is no firewall.",
    "lua-resty-waf-score-threshold": "There is no firewall.",
    "mirror-uri": "`mirror-target` says where copies go.",
    "opentracing-trust-incoming-span": "`opentelemetry-trust-incoming-span` is what came of it.",
    "secure-backends": "`backend-protocol: HTTPS` says it.",
    "secure-verify-ca-secret": "`proxy-ssl-secret` with `proxy-ssl-verify` says it.",
    "upstream-fail-timeout": "`proxy-next-upstream` says when another pod is tried.",
    "upstream-max-fails": "`proxy-next-upstream-tries` says how many pods are tried.",
}
"""What older releases of ingress-nginx read, and what says it now."""

_NEVER = {
    "additional-response-headers": "`custom-headers` sets headers of answers.",
    "client-max-body-size": "`proxy-body-size` limits the body.",
    "connection-limit": "`limit-connections` limits requests at the same time.",
    "custom-request-headers": "It is Traefik's; the ConfigMap's `proxy-set-headers` adds headers to requests.",
    "enable-websocket": "WebSockets need no annotation.",
    "eventsource": "Events of servers need no annotation.",
    "health-check-interval": "The readiness probe of the pod is what counts.",
    "health-check-path": "The readiness probe of the pod is what counts.",
    "health-check-timeout": "The readiness probe of the pod is what counts.",
    "healthcheck-interval": "The readiness probe of the pod is what counts.",
    "healthcheck-path": "The readiness probe of the pod is what counts.",
    "healthcheck-port": "The readiness probe of the pod is what counts.",
    "healthcheck-threshold": "The readiness probe of the pod is what counts.",
    "healthcheck-timeout": "The readiness probe of the pod is what counts.",
    "ingress.class": "`kubernetes.io/ingress.class` or the field `ingressClassName` names the class.",
    "keepalive-timeout": "The ConfigMap's `keep-alive` has the time for clients.",
    "limit-rph": "`limit-rpm` limits requests by the minute.",
    "load-balancer-backend-protocol": "`backend-protocol` says what pods speak.",
    "preserve-host": "The pod gets the client's Host unless `upstream-vhost` says otherwise.",
    "proxy-buffers": "HAProxy has buffers of one size.",
    "proxy-cache-key": "Answers are not kept.",
    "proxy-cache-methods": "Answers are not kept.",
    "proxy-cache-valid": "Answers are not kept.",
    "proxy-cache-valid-404": "Answers are not kept.",
    "rate-limit": "`limit-rps` or `limit-rpm` limits requests.",
    "rate-limit-burst": "`limit-burst-multiplier` says how many may come at once.",
    "rate-limit-burst-multiplier": "`limit-burst-multiplier` says how many may come at once.",
    "rate-limit-burst-size": "`limit-burst-multiplier` says how many may come at once.",
    "rate-limit-connections": "`limit-connections` limits requests at the same time.",
    "rate-limit-rps": "`limit-rps` limits requests.",
    "rate-limit-status-code": "The ConfigMap's `limit-req-status-code` has the status.",
    "rate-limit-window": "`limit-rps` counts by the second, `limit-rpm` by the minute.",
    "real-ip-header": "The ConfigMap's `forwarded-for-header` names it.",
    "session-cookie-httponly": "Session cookies have HttpOnly always.",
    "tcp-services-configmap": "It is a flag of the controller.",
    "websocket-services": "It is another controller's; WebSockets need no annotation.",
}
"""What nobody ever read, and what the author may have meant."""

_KEYS = (
    *("brotli-level", "brotli-types", "client-body-timeout", "client-header-timeout", "enable-brotli"),
    *("enable-owasp-modsecurity-crs", "enable-real-ip", "forwarded-for-header", "hsts", "hsts-include-subdomains"),
    *("hsts-max-age", "hsts-preload", "ssl-protocols", "upstream-keepalive-connections", "upstream-keepalive-requests"),
    *("upstream-keepalive-timeout", "use-forwarded-headers", "use-http2"),
)
"""Keys of the controller's ConfigMap that people write as annotations."""

_SAID = {
    **{name: ("It is read no more.", instead) for name, instead in _GONE.items()},
    **{name: ("It was never read.", instead) for name, instead in _NEVER.items()},
    **dict.fromkeys(_KEYS, ("As an annotation it was never read.", "It is a key of the controller's ConfigMap.")),
}

Unread = make_dataclass(
    "Unread",
    [(name.replace("-", "_").replace(".", "_"), str, unread(name, *said)) for name, said in sorted(_SAID.items())],
    frozen=True,
    slots=True,
)
"""The group of these rows; nobody asks it for a value."""
