"""Redirects (behaviour reference, part A, section 6)."""

from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Scope, annotation, global_setting
from remora.annotations.values import ValueRefused, boolean, comma_list, one_of, shown, url


def url_or_path(text: str) -> str:
    """An http(s) URL, or a path on the same host."""
    value = url(text)
    if not value.startswith(("http://", "https://", "/")):
        raise ValueRefused(f"{shown(value)} is neither an http or https URL nor a path")
    return value


def absolute_url(text: str) -> str:
    """An http(s) URL."""
    value = url(text)
    if not value.startswith(("http://", "https://")):
        raise ValueRefused(f"{shown(value)} is not an http or https URL")
    return value


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where clients are sent instead of being served."""

    permanent: str = annotation(
        "permanent-redirect",
        url_or_path,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="Sends every request to this URL, to which nothing is added, with status 301.",
        accepts=("https://example.com", "https://example.com/a?b=c", "/elsewhere"),
        refuses=("https://example.com$request_uri", "https://example.com/%20", "example.com", ""),
        haproxy=("http-request redirect",),
    )
    permanent_code: int = annotation(
        "permanent-redirect-code",
        one_of(*range(300, 309)),
        default=301,
        doc="The status of `permanent-redirect`, 300 to 308; 300 and 304 to 306 are answered without a Location.",
        accepts=("308", "301", "300"),
        refuses=("200", "309", "moved"),
    )
    temporal: str = annotation(
        "temporal-redirect",
        absolute_url,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="Sends every request to this URL with status 302; goes before `permanent-redirect`.",
        accepts=("https://example.com",),
        refuses=("/elsewhere", "ftp://example.com", "https://example.com/#a"),
        haproxy=("http-request redirect",),
    )
    temporal_code: int = annotation(
        "temporal-redirect-code",
        one_of(*range(300, 308)),
        default=302,
        doc="The status of `temporal-redirect`, 300 to 307; 300 and 304 to 306 are answered without a Location.",
        accepts=("307",),
        refuses=("308", "200"),
    )
    ssl: bool = annotation(
        "ssl-redirect",
        boolean,
        default=True,
        global_key="ssl-redirect",
        doc="Sends http to https where a TLS section covers the host; `false` does not.",
        accepts=("true", "false"),
        refuses=("off", " true"),
        haproxy=("http-request redirect",),
    )
    force_ssl: bool = annotation(
        "force-ssl-redirect",
        boolean,
        default=False,
        risk=Risk.MEDIUM,
        global_key="force-ssl-redirect",
        doc="Sends http to https although no TLS section covers the host.",
        accepts=("true", "False"),
        refuses=("yes",),
        haproxy=("http-request redirect",),
    )
    https_code: int = global_setting(
        "http-redirect-code",
        one_of(301, 302, 307, 308),
        default=308,
        doc="The status with which http is sent to https.",
    )
    plain_paths: tuple[str, ...] = global_setting(
        "no-tls-redirect-locations",
        comma_list,
        default=("/.well-known/acme-challenge",),
        doc="Rules whose path begins with one of these are never sent to https.",
    )
    preserve_trailing_slash: bool = annotation(
        "preserve-trailing-slash",
        boolean,
        default=False,
        risk=Risk.MEDIUM,
        global_key="preserve-trailing-slash",
        doc="`true` keeps a slash at the end of the URL in the redirect to https, which otherwise goes.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    use_port: bool = annotation(
        "use-port-in-redirects",
        boolean,
        default=False,
        global_key="use-port-in-redirects",
        doc="`true` adds the port of https to the redirect there.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    relative: bool = annotation(
        "relative-redirects",
        boolean,
        default=False,
        on_invalid=OnInvalid.DENY,
        global_key="relative-redirects",
        doc="`true` sends a redirect to a path as a path; otherwise it is made absolute.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    from_to_www: bool = annotation(
        "from-to-www-redirect",
        boolean,
        default=False,
        scope=Scope.HOST,
        on_invalid=OnInvalid.DENY,
        doc="`true` sends the host with or without `www.`, whichever no rule names, to the one of the rule.",
        accepts=("true", "false"),
        refuses=("yes",),
        haproxy=("http-request redirect",),
    )
