"""Asks the API server whether whoever asks may do something."""

from collections.abc import Mapping

import msgspec

from remora.kube.client import ApiClient
from remora.kube.resources import Resource

_REVIEWS = Resource("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


async def may(client: ApiClient, attributes: Mapping[str, str]) -> bool:
    """The answer to a SelfSubjectAccessReview of these attributes.

    Raises:
        ApiServerError: it could not be asked.
        msgspec.MsgspecError: the answer is no review.
    """
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    body = await client.create(_REVIEWS, "", {**review, "spec": {"resourceAttributes": dict(attributes)}})
    return msgspec.json.decode(body, type=_Review).status.allowed
