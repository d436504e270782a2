"""What to do about a Problem, by its code."""

from collections.abc import Mapping

_ANNOTATION = "correct the annotation; docs/annotations.md tells what each takes"
_SNIPPET = "say it with annotations, or with the directives that docs/snippets.md lists"
_SETTING = "correct the key of the ConfigMap; docs/configmap.md tells what each takes"
_SECRET = "create or correct the Secret that the annotation names; `kubectl describe` shows which keys it has"  # noqa: S105

ADVICE: Mapping[str, str] = {
    "AliasInvalid": "write a host name in server-alias, without scheme, port or path",
    "AliasTaken": "remove the alias here, or the rule or alias for that host in the other Ingress",
    "AnnotationForbidden": "remove the annotation, or start the controller with flags that allow it",
    "AnnotationNotHonoured": "remove the annotation, or say what it does in another way: docs/annotations.md says which",
    "AnnotationRefused": _ANNOTATION,
    "AnnotationTooRisky": "remove the annotation, or raise annotations-risk-level in the controller's ConfigMap",
    "AnnotationUnknown": "correct the name, or remove the annotation",
    "AnnotationUnread": "remove the annotation: ingress-nginx does not read it either",
    "AuthServiceMissing": "create the Service that auth-url names, or correct auth-url",
    "BackendRefused": "remove the annotation that HAProxy does not take; its own words stand in the controller's log",
    "BackendUnknown": "give the path a Service as backend, with the name or number of its port",
    "CanaryNotAttached": "give the main Ingress a rule with the same host and path, or remove the canary",
    "CatchAllDisabled": "give the Ingress rules with hosts, or start the controller without --disable-catch-all",
    "CertificateUnusable": "create or correct the Secret, of type kubernetes.io/tls with tls.crt and tls.key",
    "ClassMissing": "create the IngressClass, or name one that there is: `kubectl get ingressclasses`",
    "ClientTlsUnusable": _SECRET,
    "ConnectTimeoutShared": "set proxy-connect-timeout in the controller's ConfigMap, for all routes",
    "CorsWithoutOrigin": "set cors-allow-origin to origins such as https://example.com, or *",
    "CustomHeadersUnusable": "create or correct the ConfigMap that custom-headers names, and allow its headers",
    "DefaultBackendMissing": "create the Service that default-backend names, or remove the annotation",
    "ExternalAuthUnusable": _ANNOTATION,
    "ExternalNameRefused": "give the Service the DNS name of a host that the controller may connect to",
    "ExternalNameUnresolved": "look whether the name is right and the controller's DNS servers know it",
    "HeaderRefused": "correct the header in the ConfigMap",
    "HostInvalid": "write a host name, or *.name for all below it",
    "HttpVersionUnavailable": "remove proxy-http-version, if the pods understand HTTP/1.1",
    "LimitsMissing": "add limit-rps, limit-rpm or limit-connections, or remove limit-allowlist",
    "LimitsWithoutPeers": "start the controllers with --peers-service, or remove limit-scope",
    "LogVariableUnknown": "remove the variable from log-format-upstream; docs/observability.md lists those that are known",
    "Unreadable": "correct the object: `kubectl get -o yaml` shows what is stored",
    "PassthroughDisabled": "start the controller with --enable-ssl-passthrough",
    "PassthroughWithoutRoot": "give the host a rule for the path /",
    "PasswordUnusable": "make the hash anew: htpasswd -nB NAME",
    "PasswordsMissing": "add lines NAME:HASH to the Secret, under the key `auth`",
    "PasswordsUnusable": _SECRET,
    "PathInvalid": "write a path that begins with a slash, is not overlong and has no control characters",
    "PathTaken": "remove the path from one of the two Ingresses; the older one has it now",
    "PatternInvalid": "correct the regular expression, or remove use-regex",
    "PodLinkUnusable": _SECRET,
    "PodNameNotVerified": "set proxy-ssl-name to the name that the pods' certificates have",
    "PortRefused": "choose another port, stop who listens on it, or allow the controller to listen there (NET_BIND_SERVICE)",
    "ProtocolNotCarried": "choose a protocol that docs/differences.md lists",
    "RetryUnknown": "leave http_429 out of proxy-next-upstream",
    "ServerSnippetTaken": "keep the server-snippet of a host in one Ingress",
    "ServiceExternal": "use a Service with pods, or start the controller without --disable-svc-external-name",
    "ServiceMissing": "create the Service, or correct its name in the Ingress",
    "ServicePortMissing": "name a port that the Service has",
    "SessionsWithoutAffinity": 'set nginx.ingress.kubernetes.io/affinity: "cookie" beside it',
    "SettingRefused": _SETTING,
    "SettingUnknown": "correct the name of the key, or remove it",
    "SlidingWithoutLifetime": "give the cookie a lifetime with session-cookie-max-age, or remove the annotation",
    "SnippetDirectiveSkipped": _SNIPPET,
    "SnippetIgnored": "remove the snippet, or let snippets be run: docs/snippets.md says how",
    "SnippetNotUnderstood": _SNIPPET,
    "SnippetRefused": _SNIPPET,
    "SnippetTooLong": "make the snippet shorter: say with annotations what they can say",
    "TcpServiceRefused": "correct the entry: PORT: NAMESPACE/SERVICE:PORT",
    "UdpNotForwarded": "take UDP to the pods another way, with a Service of type LoadBalancer",
}
USUAL = "`kubectl describe` the object, and correct the field"


def advice(code: str) -> str:
    """What to do about a Problem of that code."""
    return ADVICE.get(code, USUAL)
