"""TLS towards clients (behaviour reference, configuration, section 2.4; part B, section 6)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import alphabet, nginx_time, size, ticket_key, whole, words_of
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import boolean
from remora.core.options import CIPHERS

VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Versions, ciphers, sessions, and the promise to come back over https."""

    protocols: tuple[str, ...] = global_setting(
        "ssl-protocols",
        words_of(*VERSIONS),
        default=("TLSv1.2", "TLSv1.3"),
        support=Support.PARTIAL,
        differs="Versions between the lowest and the highest are on too. SSLv2 and SSLv3 are refused.",
        doc="The versions of TLS that clients may use.",
        accepts=("TLSv1.3", "TLSv1.2 TLSv1.3"),
        refuses=("SSLv3 TLSv1.2", "TLSv1.2,TLSv1.3", "TLSv1.2 }"),
        haproxy=("ssl-default-bind-options",),
    )
    ciphers: str = global_setting(
        "ssl-ciphers",
        alphabet(r"[A-Za-z0-9:!+@=_-]{1,2000}", "a list of ciphers as OpenSSL writes them"),
        default=CIPHERS,
        doc="The ciphers of TLS 1.2 and below, best first.",
        accepts=("ECDHE-RSA-AES256-GCM-SHA384:HIGH:!aNULL:!MD5", "ALL:@SECLEVEL=0"),
        refuses=("HIGH; ssl_x", "a b", "HIGH\n}"),
        haproxy=("ssl-default-bind-ciphers",),
    )
    curves: str = global_setting(
        "ssl-ecdh-curve",
        alphabet(r"[A-Za-z0-9:_-]{1,200}", "a list of curves such as X25519:P-256"),
        default="auto",
        doc="The curves for the exchange of keys; `auto` for OpenSSL's.",
        accepts=("X25519:P-256", "auto", "secp384r1"),
        refuses=("a b", "P-256;"),
        haproxy=("ssl-default-bind-curves",),
    )
    dh_param: str = global_setting(
        "ssl-dh-param",
        alphabet(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}", "namespace/name of a Secret"),
        default="",
        support=Support.PARTIAL,
        differs="They have 2048 to 4096 bits. Without the key, or with ones that cannot be used, 2048 bits are used that are "
        "built in.",
        doc="The Secret whose `dhparam.pem` holds the parameters for Diffie-Hellman.",
        accepts=("default/dhparam",),
        refuses=("dhparam", "a/b/c", "a/b }"),
        haproxy=("ssl-dh-param-file",),
    )
    early_data: bool = global_setting(
        "ssl-early-data",
        boolean,
        default=False,
        doc="`true` takes requests in the first flight of TLS 1.3, which can be replayed.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("bind … allow-0rtt",),
    )
    session_cache: bool = global_setting(
        "ssl-session-cache",
        boolean,
        default=True,
        doc="`false` remembers no sessions.",
        accepts=("false",),
        refuses=("off",),
        haproxy=("tune.ssl.cachesize",),
    )
    session_cache_size: int = global_setting(
        "ssl-session-cache-size",
        size,
        default=10 << 20,
        support=Support.PARTIAL,
        differs="Counted as 256 bytes a session, at most 64 MB; unset, HAProxy remembers 20,000.",
        doc="The memory for sessions.",
        accepts=("10m",),
        refuses=("much", "10m }"),
        haproxy=("tune.ssl.cachesize",),
    )
    session_timeout: int = global_setting(
        "ssl-session-timeout",
        nginx_time,
        default=600,
        doc="How long a session can be taken up again.",
        accepts=("10m", "1h"),
        refuses=("long",),
        haproxy=("tune.ssl.lifetime",),
    )
    session_tickets: bool = global_setting(
        "ssl-session-tickets",
        boolean,
        default=False,
        doc="`true` lets clients keep their sessions themselves; without `ssl-session-ticket-key` each replica makes a key of "
        "its own, anew with a reload.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("no-tls-tickets",),
    )
    ticket_key: str = global_setting(
        "ssl-session-ticket-key",
        ticket_key,
        default="",
        support=Support.PARTIAL,
        differs="Another key costs a reload, and one that cannot be read is the same as none.",
        doc="The key of session tickets, 48 or 80 bytes in base64 (`openssl rand -base64 80`); each replica takes the tickets "
        "of the others.",
        accepts=("q83v" * 16, "q83v" * 26 + "q80=\n"),
        refuses=("q83v", "q83v" * 17, "q83v" * 15 + "q83}", "q83v" * 15 + "q8\n3"),
        haproxy=("bind … tls-ticket-keys",),
    )
    buffer_size: str = idle_setting("ssl-buffer-size", "The size of records.", "HAProxy chooses it by what there is to send.")
    reject_handshake: bool = global_setting(
        "ssl-reject-handshake",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="Refused are names for which there is no certificate of their own.",
        doc="`true` refuses the handshake for names that nobody has.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("bind … strict-sni",),
    )
    ocsp: bool = global_setting(
        "enable-ocsp",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="HAProxy asks ahead, when it loads a certificate and before an answer ends, and keeps none over a reload. "
        "Nothing is stapled unless the chain in `tls.crt` holds the issuer and the responder is asked by http.",
        doc="`true` staples what the certificate's issuer says of it.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("crt-list ocsp-update",),
    )
    hsts: bool = global_setting(
        "hsts",
        boolean,
        default=True,
        doc="Tells browsers on every answer over https to come back over https only; `false` does not.",
        accepts=("false",),
        refuses=("off",),
        haproxy=("http-after-response set-header",),
    )
    hsts_subdomains: bool = global_setting(
        "hsts-include-subdomains", boolean, default=True, doc="And to all hosts below.", accepts=("false",), refuses=("off",)
    )
    hsts_max_age: int = global_setting(
        "hsts-max-age",
        whole(0, 10**10),
        default=31_536_000,
        doc="For how many seconds.",
        accepts=("600", "0"),
        refuses=("1y", "-1", "600; preload"),
    )
    hsts_preload: bool = global_setting(
        "hsts-preload",
        boolean,
        default=False,
        doc="Lets browsers' makers put the host on their lists.",
        accepts=("true",),
        refuses=("on",),
    )
    proxy_location_only: bool = global_setting(
        "proxy-ssl-location-only",
        boolean,
        default=False,
        doc="`true` keeps `proxy-ssl-*` to their own Ingress; else those of the first Ingress of a host count for all of it.",
        accepts=("true", "false"),
        refuses=("on",),
    )

    def __repr__(self) -> str:
        return "TlsSettings(ticket_key=<redacted>)"
