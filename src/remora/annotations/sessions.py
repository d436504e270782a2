"""What only Remora does with sessions (annotations under `remora.io/`)."""

from dataclasses import dataclass

from remora.annotations.declare import Scope, annotation
from remora.annotations.learning import session_source
from remora.annotations.values import boolean


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
