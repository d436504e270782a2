"""The dashboard as a command on a local cluster with a real controller: for one person, and for many with tokens."""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from remora.testing.local import LocalCluster, eventually, local_cluster
from tests.dashboard.sample import apply, ask, running_dashboard, shop, wait_for_answers


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(ingress=True) as made:
        apply(made, shop(replicas=1))
        wait_for_answers(made, "sticky.localhost", "shop.localhost")
        yield made


class Visitor:
    """Somebody with cookies and no browser."""

    def __init__(self, base: str) -> None:
        self.place = urlsplit(base).netloc
        self.cookie = ""

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.place, timeout=60)
        headers = {"Cookie": self.cookie, "Accept": "text/html"}
        if method == "POST":
            headers |= {"Origin": f"http://{self.place}", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            self.cookie = (answer.getheader("set-cookie") or self.cookie).partition(";")[0]
            return answer.status, text
        finally:
            connection.close()

    def see(self, path: str = "/") -> str:
        status, text = self.ask("GET", path)
        assert status == 200, text
        return text

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.see())
        assert found is not None
        return found[1]


def test_who_has_the_address_sees_sessions_and_where_a_request_goes(cluster: LocalCluster, tmp_path: Path) -> None:
    _, cookie = ask(cluster, "sticky.localhost")
    with running_dashboard(cluster, tmp_path) as address:
        visitor = Visitor(address)
        parts = urlsplit(address)
        assert visitor.ask("GET", f"{parts.path}?{parts.query}")[0] == 303
        page = visitor.see()
        for words in ("sticky.localhost", "shop.localhost", "AnnotationRefused", "ServiceMissing", "redirects"):
            assert words in page
        eventually(lambda: re.search(r"1 of 1 pod ready · [1-9]", visitor.see()), what="session on the map")
        form = {"csrf": visitor.csrf(), "url": "http://sticky.localhost/", "cookie": cookie}
        status, said = visitor.ask("POST", "/explain", **form)
        assert status == 200
        assert len(re.findall(r'class="tile ready lit"', said)) == 1
        assert re.search(r'class="answer">pod sticky-', said)
        assert "Deployment" in visitor.see("/workloads")


def _token(cluster: LocalCluster, namespace: str, name: str, *, everywhere: bool) -> str:
    """A token of a new account that may list Ingresses: in its namespace, or everywhere."""
    rules = [{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list"]}]
    kind, rbac = ("ClusterRole" if everywhere else "Role"), "/apis/rbac.authorization.k8s.io/v1"
    place = rbac if everywhere else f"{rbac}/namespaces/{namespace}"
    api = "rbac.authorization.k8s.io"
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    cluster.request("POST", f"{place}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": api, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    cluster.request("POST", f"{place}/{kind.lower()}bindings", binding)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", asked)
    return str(answer["status"]["token"])


def test_who_signs_in_with_a_token_sees_what_it_may_read(cluster: LocalCluster, tmp_path: Path) -> None:
    wide = _token(cluster, "default", "wide", everywhere=True)
    narrow = _token(cluster, "shop", "narrow", everywhere=False)
    with running_dashboard(cluster, tmp_path, "--tokens") as said:
        address = said.rpartition(" ")[2]
        stranger = Visitor(address)
        assert stranger.ask("GET", "/")[0] == 303
        # The kubeconfig's certificate, which may do all, lets nobody in.
        assert stranger.ask("POST", "/sign-in", token="none")[0] == 403
        assert stranger.ask("GET", "/")[0] == 303

        everything = Visitor(address)
        assert everything.ask("POST", "/sign-in", token=wide)[0] == 303
        page = everything.see()
        assert "sticky.localhost" in page
        assert "shop.localhost" in page

        some = Visitor(address)
        assert some.ask("POST", "/sign-in", token=narrow)[0] == 303
        page = some.see()
        assert "shop.localhost" in page
        for path in ("/", "/charts", "/timeline", "/problems"):
            assert "sticky" not in some.see(path), path
        status, refused = some.ask("POST", "/explain", csrf=some.csrf(), url="http://sticky.localhost/")
        assert status == 200
        assert "at the cluster scope" in refused
        assert some.ask("GET", "/workloads")[0] == 404
