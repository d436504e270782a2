"""nginx configuration in annotations (behaviour reference, part B, section 9).

The rows hold texts. `remora.snippets` reads them; what is not understood in one may be what keeps strangers out.
"""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation, global_setting
from remora.annotations.values import boolean

_PARTLY = "The directives that [snippets.md](snippets.md) lists are translated; another one may close the Ingress."


def nginx_text(text: str) -> str:
    """Any text; whether it is configuration of nginx is known when it is read."""
    return text.strip()


@dataclass(frozen=True, slots=True)
class Snippets:
    """nginx configuration for the Ingress's locations, its host, or the stream section."""

    configuration: str = annotation(
        "configuration-snippet",
        nginx_text,
        default="",
        risk=Risk.CRITICAL,
        guards=True,
        support=Support.PARTIAL,
        differs=_PARTLY,
        doc="nginx configuration for every path.",
        accepts=('more_set_headers "X-Frame-Options: DENY";',),
    )
    server: str = annotation(
        "server-snippet",
        nginx_text,
        default="",
        scope=Scope.HOST,
        risk=Risk.CRITICAL,
        guards=True,
        support=Support.PARTIAL,
        differs=f"{_PARTLY} It counts for the routes of its own namespace.",
        doc="nginx configuration for the host.",
        accepts=("location = /metrics { deny all; }",),
    )
    stream: str = annotation(
        "stream-snippet",
        nginx_text,
        default="",
        scope=Scope.HOST,
        risk=Risk.CRITICAL,
        guards=True,
        support=Support.WITHOUT_EFFECT,
        differs="There is no section of nginx for TCP here.",
        doc="nginx configuration for TCP and UDP.",
        accepts=("server { listen 9000; }",),
    )


@dataclass(frozen=True, slots=True)
class SnippetSettings:
    """nginx configuration for everything, and whether Ingresses may have some."""

    allowed: bool = global_setting(
        "allow-snippet-annotations",
        boolean,
        default=True,
        doc="`false` leaves snippets of Ingresses out; one that may keep somebody out closes its Ingress then.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    http: str = global_setting(
        "http-snippet",
        nginx_text,
        default="",
        support=Support.PARTIAL,
        differs=_PARTLY,
        doc="nginx configuration for all hosts.",
    )
    server: str = global_setting(
        "server-snippet",
        nginx_text,
        default="",
        support=Support.PARTIAL,
        differs=_PARTLY,
        doc="nginx configuration for each host.",
    )
    location: str = global_setting(
        "location-snippet",
        nginx_text,
        default="",
        support=Support.PARTIAL,
        differs=_PARTLY,
        doc="nginx configuration for each path.",
    )
    auth: str = global_setting(
        "global-auth-snippet",
        nginx_text,
        default="",
        guards=True,
        support=Support.PARTIAL,
        differs="`proxy_set_header` sets headers of the question; what may keep somebody out closes the Ingresses that ask it.",
        doc="nginx configuration for the question.",
        accepts=("proxy_set_header X-Forwarded-Host $http_host;",),
    )
