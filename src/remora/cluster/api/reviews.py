"""Reviews: questions about rights and identities, answered as the request that they are about would be."""

from collections.abc import Iterator
from datetime import UTC, datetime

from remora.cluster.api.authorization.authorizer import Authorizer
from remora.cluster.api.authorization.rules import Attributes, Rule, wire_rule
from remora.cluster.api.errors import Cause, Object, bad_request, invalid, invalid_value
from remora.cluster.api.handlers import Call
from remora.cluster.api.http_body import read_object
from remora.cluster.api.http_message import Response
from remora.cluster.api.patch.updates import entries_after
from remora.cluster.api.schemas import schema_of
from remora.cluster.api.tokens import Identity, TokenError, Tokens

_GROUP = "authorization.k8s.io"


async def review(call: Call) -> Response:
    """Answers the question in the body."""
    read = read_object(call.request, call.row, options="CreateOptions")
    metadata = dict(read.object.get("metadata") or {})
    if call.row.kind == "SelfSubjectReview":
        metadata["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = _status(call, read.object.get("spec") or {})
    schema = schema_of(call.row.api_version, call.row.kind)
    owners = entries_after({**read.object, "metadata": metadata}, None, call.writer(), schema)
    metadata |= {"managedFields": owners} if owners else {}
    return call.raw({**read.object, "metadata": metadata, "status": status}, status=201, warnings=read.warnings)


def _status(call: Call, spec: Object) -> Object:
    if call.row.kind == "SelfSubjectReview":
        return {"userInfo": user_info(call.request.identity)}
    if call.row.kind == "TokenReview":
        return _token_status(call.api.tokens, spec)
    if call.row.kind == "SelfSubjectRulesReview":
        return _rules_status(call.api.authorizer, call.request.identity, spec.get("namespace", ""))
    if causes := list(_check_access(call.row.kind, spec, call.namespace)):
        raise invalid(call.row.kind, "", causes, group=_GROUP)
    is_own = call.row.kind == "SelfSubjectAccessReview"
    return _access_status(call.api.authorizer, call.request.identity if is_own else _asked_for(spec), spec)


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


def _token_status(tokens: Tokens, spec: Object) -> Object:
    audiences = spec.get("audiences") or []
    try:
        user = user_info(tokens.verify(spec.get("token", ""), audiences=audiences))
        return {"authenticated": True, "user": user, **({"audiences": audiences} if audiences else {})}
    except TokenError as error:
        return {"user": {}, "error": str(error)}


def _rules_status(authorizer: Authorizer, identity: Identity, namespace: str) -> Object:
    if not namespace:
        raise bad_request("no namespace on request")
    rules = authorizer.rules_of(identity, namespace)
    return {
        "resourceRules": [wire_rule(rule) for rule in _distinct(rules) if not rule.paths],
        "nonResourceRules": [wire_rule(rule) for rule in _distinct(rules) if rule.paths],
        "incomplete": False,
    }


def _distinct(rules: tuple[Rule, ...]) -> Iterator[Rule]:
    yield from dict.fromkeys(rules)


def _check_access(kind: str, spec: Object, namespace: str) -> Iterator[Cause]:
    """Kubernetes' `ValidateSubjectAccessReviewSpec` and its kin."""
    resource, plain = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    why = "cannot be specified in combination with resourceAttributes"
    if resource is not None and plain is not None:
        yield invalid_value("spec.nonResourceAttributes", plain, why)
    if resource is None and plain is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield invalid_value("spec.resourceAttributes", None, why)
    if kind == "SelfSubjectAccessReview":
        return
    if not spec.get("user") and not spec.get("groups"):
        yield invalid_value("spec.user", "", "at least one of user or group must be specified")
    if kind == "LocalSubjectAccessReview":
        if plain is not None:
            yield invalid_value("spec.nonResourceAttributes", plain, "disallowed on this kind of request")
        if (resource or {}).get("namespace", "") != namespace:
            given = (resource or {}).get("namespace", "")
            yield invalid_value("spec.resourceAttributes.namespace", given, "must match metadata.namespace")


def _asked_for(spec: Object) -> Identity:
    extra = {key.lower(): tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return Identity(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _access_status(authorizer: Authorizer, identity: Identity, spec: Object) -> Object:
    decision = authorizer.decide(identity, _attributes(spec))
    return {"allowed": decision.is_allowed, **({"reason": decision.reason} if decision.reason else {})}


def _attributes(spec: Object) -> Attributes:
    plain = spec.get("nonResourceAttributes")
    if plain is not None:
        return Attributes(verb=plain.get("verb") or "", path=plain.get("path") or "")
    asked = spec.get("resourceAttributes") or {}
    return Attributes(
        verb=asked.get("verb") or "",
        group=asked.get("group") or "",
        version=asked.get("version") or "",
        # Without a resource the question would be one about a path, and no rule about resources may answer that.
        resource=asked.get("resource") or " ",
        subresource=asked.get("subresource") or "",
        namespace=asked.get("namespace") or "",
        name=asked.get("name") or "",
    )
