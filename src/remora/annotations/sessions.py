"""What only Remora does with sessions (annotations under `remora.io/`)."""

from dataclasses import dataclass

from remora.annotations.declare import Scope, annotation
from remora.annotations.learning import session_source
from remora.annotations.values import boolean, choice, duration, up_to


@dataclass(frozen=True, slots=True)
class Sessions:
    """What is known and promised of the sessions of an Ingress's routes, beside where they are."""

    tracking: bool = annotation(
        "session-tracking",
        boolean,
        default=False,
        scope=Scope.ROUTE,
        global_key="session-tracking",
        own=True,
        doc="Whether the live sessions of each pod are counted; each then has an identifier in its cookie.",
        accepts=("true", "false"),
        refuses=("yes",),
        haproxy=("http-response track-sc1",),
    )
    cookie_format: str = annotation(
        "session-cookie-format",
        choice("remora", "ingress-nginx"),
        default="",
        scope=Scope.ROUTE,
        global_key="session-cookie-format",
        own=True,
        doc="Whose cookies are issued, `remora` or `ingress-nginx`; by default what the flag `--session-cookie-format` says. "
        "Those of both are understood always.",
        accepts=("remora", "ingress-nginx"),
        refuses=("nginx", "Remora"),
        haproxy=("http-after-response add-header Set-Cookie", "use-server"),
    )
    cookie_partitioned: bool = annotation(
        "session-cookie-partitioned",
        boolean,
        default=False,
        scope=Scope.ROUTE,
        global_key="session-cookie-partitioned",
        own=True,
        doc="`true` adds the attributes Partitioned and Secure to the cookie: a page that is embedded in several sites then "
        "has a session in each.",
        accepts=("true", "false"),
        refuses=("yes",),
        haproxy=("http-after-response add-header Set-Cookie",),
    )
    cookie_sliding: bool = annotation(
        "session-cookie-sliding",
        boolean,
        default=False,
        scope=Scope.ROUTE,
        global_key="session-cookie-sliding",
        own=True,
        doc="`true` lets the cookie's Max-Age and Expires begin anew with visits: it is sent again when a tenth has passed.",
        accepts=("true", "false"),
        refuses=("yes",),
        haproxy=("http-after-response add-header Set-Cookie",),
    )
    idle_timeout: int = annotation(
        "session-idle-timeout",
        duration,
        default=0,
        scope=Scope.ROUTE,
        global_key="session-idle-timeout",
        own=True,
        doc="After how long without a request a session ends, whatever the browser keeps: seconds, or `90s`, `15m`, `8h`, "
        "`2d`; 0 for never.",
        accepts=("900", "15m", "8h", "0"),
        refuses=("-1", "1.5h", "soon", ""),
        haproxy=("hmac(sha256)",),
    )
    absolute_timeout: int = annotation(
        "session-absolute-timeout",
        duration,
        default=0,
        scope=Scope.ROUTE,
        global_key="session-absolute-timeout",
        own=True,
        doc="How long after its beginning a session ends, however busy it is; written as session-idle-timeout.",
        accepts=("86400", "12h", "2d", "0"),
        refuses=("-1", "1w", ""),
        haproxy=("hmac(sha256)",),
    )
    keep_unready: bool = annotation(
        "session-keep-unready",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        global_key="session-keep-unready",
        own=True,
        doc="Whether a pod that is not ready keeps its sessions; it gets no new ones. Of routes with session affinity.",
        accepts=("true", "false"),
        refuses=("yes",),
        haproxy=("set server … state drain",),
    )
    learn: tuple[str, ...] = annotation(
        "session-learn",
        session_source,
        default=(),
        scope=Scope.ROUTE,
        global_key="session-learn",
        own=True,
        doc="Where the application names its own sessions: `cookie:NAME`, `header:NAME`, `query:NAME` or `path:NAME`. A "
        "session is learned from the pod's answer and then stays on that pod.",
        accepts=("cookie:JSESSIONID", "header:Mcp-Session-Id", "query:sid", "path:jsessionid"),
        refuses=("JSESSIONID", "cookie:", "cookie:a|b", "body:sid", "header:a b"),
        haproxy=("http-response track-sc2", "use-server"),
    )
    placement: str = annotation(
        "session-placement",
        choice("random", "least-sessions", "least-connections"),
        default="random",
        scope=Scope.ROUTE,
        global_key="session-placement",
        own=True,
        doc="Where a new session goes: to any pod (`random`), or to the one with the fewest live sessions or connections. A "
        "session that was placed so stays on its pod, in `balanced` mode as well.",
        accepts=("random", "least-sessions", "least-connections"),
        refuses=("Random", "round_robin", "least"),
        haproxy=("http-request lua", "use-server"),
    )
    limit: int = annotation(
        "session-limit",
        up_to(1_000_000),
        default=0,
        scope=Scope.ROUTE,
        global_key="session-limit",
        own=True,
        doc="Live sessions that a pod may have, beyond which a new one goes to another pod; 0 is no limit. Sessions that "
        "there are go on whatever it says.",
        accepts=("200", "0"),
        refuses=("-1", "many", "1.5", "10000000"),
        haproxy=("http-request lua", "use-server"),
    )
    overflow: str = annotation(
        "session-overflow",
        choice("refuse", "allow"),
        default="refuse",
        scope=Scope.ROUTE,
        global_key="session-overflow",
        own=True,
        doc="What a new session gets when every pod has as many as `session-limit` allows: 503 with Retry-After (`refuse`), or "
        "the pod with the fewest sessions (`allow`).",
        accepts=("refuse", "allow"),
        refuses=("overflow", "Refuse"),
        haproxy=("http-request return",),
    )
