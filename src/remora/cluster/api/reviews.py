"""Reviews: questions about rights and identities. Nothing is forbidden to anyone who is known here."""

from datetime import UTC, datetime

from remora.cluster.api.errors import Object
from remora.cluster.api.handlers import Call
from remora.cluster.api.http_body import read_object
from remora.cluster.api.http_message import Response
from remora.cluster.api.tokens import Identity, TokenError, Tokens


async def review(call: Call) -> Response:
    """Answers the question in the body."""
    read = read_object(call.request, call.row, options="CreateOptions")
    metadata = dict(read.object.get("metadata") or {})
    if call.row.kind == "SelfSubjectReview":
        metadata["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = _status(call, read.object.get("spec") or {})
    return call.raw({**read.object, "metadata": metadata, "status": status}, status=201, warnings=read.warnings)


def _status(call: Call, spec: Object) -> Object:
    if call.row.kind == "SelfSubjectReview":
        return {"userInfo": user_info(call.request.identity)}
    if call.row.kind == "TokenReview":
        return _token_status(call.api.tokens, spec.get("token", ""))
    if call.row.kind == "SelfSubjectRulesReview":
        return {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    return {"allowed": True}


def user_info(identity: Identity) -> Object:
    """`UserInfo` of authentication.k8s.io."""
    info: Object = {"username": identity.username}
    if identity.uid:
        info["uid"] = identity.uid
    if identity.groups:
        info["groups"] = list(identity.groups)
    if identity.extra:
        info["extra"] = {key: list(values) for key, values in identity.extra.items()}
    return info


def _token_status(tokens: Tokens, token: str) -> Object:
    try:
        return {"authenticated": True, "user": user_info(tokens.verify(token))}
    except TokenError as error:
        return {"user": {}, "error": str(error)}
