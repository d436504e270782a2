"""The part of the dashboard that shows workloads and changes them, as the frame takes it."""

from remora.dashboard.apply_page import ApplyPage
from remora.dashboard.log_pages import LogPages
from remora.dashboard.lookout import Lookout
from remora.dashboard.object_pages import ObjectPages
from remora.dashboard.pod_pages import PodPages
from remora.dashboard.site import Entry, Part, Site
from remora.dashboard.workload_actions import Rights
from remora.dashboard.workload_pages import WorkloadPages


def workload_part(site: Site, lookout: Lookout, *, may_write: bool) -> Part:
    """The part. Where nobody may write, nothing that writes has a route."""
    rights = Rights()
    pages = (WorkloadPages(site, lookout, rights), PodPages(site, lookout, rights), ObjectPages(site, lookout), LogPages(site))
    routes = [route for one in pages for route in one.routes()]
    if may_write:
        routes += ApplyPage(site).routes()
    else:
        routes = [route for route in routes if "POST" not in (route.methods or ())]
    return Part((Entry("/workloads", "Workloads"), Entry("/objects", "Objects")), tuple(routes))
