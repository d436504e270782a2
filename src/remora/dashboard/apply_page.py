"""The page on which a manifest is tried and applied."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remora.dashboard.fragments import element_id
from remora.dashboard.manifest_apply import FIELD_MANAGER, Applier, title_of
from remora.dashboard.manifests import ManifestRefused, Result, Verdict, parse_manifest
from remora.dashboard.site import Site
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_actions import READ_ONLY, Told
from remora.dashboard.workload_pages import viewer_of


class ResultRow(msgspec.Struct, frozen=True):
    """An object's result; `key` is the name of its field by which fields of others are taken over."""

    key: str
    result: Result
    is_taken: bool


class ApplyPage:
    """`/apply`. Nothing is applied that was not tried before, in the same request."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Where the page is."""
        return (Route("/apply", self.empty), Route("/apply", self.send, methods=["POST"]))

    async def empty(self, request: Request) -> Response:
        """The page before anything was sent."""
        viewer = viewer_of(request)
        if not viewer.may_write:
            raise HTTPException(404)
        return self._page(request, viewer, {}, None, ())

    async def send(self, request: Request) -> Response:
        """Tries the manifest, and applies it if that is wanted and nothing speaks against it."""
        viewer, form = viewer_of(request), request.state.form
        if not viewer.may_write:
            return self._page(request, viewer, form, READ_ONLY, ())
        try:
            namespace = form.get("namespace", "").strip() or viewer.namespace
            documents = await asyncio.to_thread(parse_manifest, form.get("manifest", ""), namespace=namespace)
        except ManifestRefused as error:
            return self._page(request, viewer, form, Told("bad", str(error), 422), ())
        assert viewer.client is not None
        taken = frozenset(title_of(one) for one in documents if _key(title_of(one)) in form)
        results = await Applier(viewer.client, documents, taken).attempt()
        if form.get("step") != "apply" or any(one.stops for one in results):
            return self._page(request, viewer, form, _tried(results), results)
        results = await Applier(viewer.client, documents, taken).apply()
        return self._page(request, viewer, form, _applied(results), results, is_done=True)

    def _page(
        self,
        request: Request,
        viewer: Viewer,
        form: Mapping[str, str],
        told: Told | None,
        results: Sequence[Result],
        *,
        is_done: bool = False,
    ) -> Response:
        rows = [ResultRow(_key(title_of(one.document)), one, _key(title_of(one.document)) in form) for one in results]
        can_apply = bool(results) and not is_done and not any(one.stops for one in results)
        return self._site.page(
            request,
            "apply.html",
            title="Apply a manifest",
            status=told.status if told else 200,
            told=told,
            rows=rows,
            is_done=is_done,
            can_apply=can_apply,
            manager=FIELD_MANAGER,
            manifest=form.get("manifest", ""),
            namespace=form.get("namespace", "") or viewer.namespace,
        )


def _key(title: str) -> str:
    return element_id("take", title)


def _tried(results: Sequence[Result]) -> Told:
    conflicts = sum(1 for one in results if one.verdict is Verdict.CONFLICT)
    refused = sum(1 for one in results if one.verdict is Verdict.REFUSED)
    if conflicts or refused:
        what = " and ".join(
            words for number, words in ((refused, f"{refused} refused"), (conflicts, f"{conflicts} in conflict")) if number
        )
        return Told("bad", f"Nothing was applied: of {len(results)} objects {what}.", 409 if not refused else 422)
    if all(one.verdict is Verdict.UNCHANGED for one in results):
        return Told("good", "Everything is like that already; there is nothing to apply.")
    return Told("good", "Nothing speaks against it. This is what applying it would do:")


def _applied(results: Sequence[Result]) -> Told:
    failed = sum(1 for one in results if one.stops)
    if failed:
        return Told("bad", f"{failed} of {len(results)} objects were refused; the others are applied.", 409)
    return Told("good", f"Applied: {len(results)} object{'' if len(results) == 1 else 's'}.")
