"""What is known of one resource in one version: a row of the table in `resources`."""

from collections.abc import Iterable

import msgspec

from remora.cluster.api.custom.version import CustomVersion

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource in one version, with the facts that Kubernetes' discovery and storage strategies hold about it."""

    group: str
    version: str
    plural: str
    kind: str
    storage: str
    is_stored: bool = True
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = STANDARD_VERBS
    subresources: tuple[str, ...] = ()
    has_generation: bool = False
    """`metadata.generation` counts changes of the specification."""
    keeps_new_status: bool = False
    """A status given at creation is kept although there is a status subresource."""
    returns_deleted: bool = False
    """DELETE answers with the object, not with a Status."""
    name_rule: str = "subdomain"
    """How `metadata.name` is checked: `subdomain`, `label`, `label1035` or `path` (see `names`)."""
    deprecation: str = ""
    """The text of the Warning header, where the version is one that Kubernetes has given up."""
    is_served: bool = True
    """Objects may be kept in a version that nobody can ask for any more."""
    singular_name: str = ""
    list_kind_name: str = ""
    """These two where they do not follow from the kind."""
    custom: CustomVersion | None = None
    """What its definition says of a custom resource; None for Kubernetes' own kinds."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.singular_name or self.kind.lower()

    @property
    def list_kind(self) -> str:
        return self.list_kind_name or f"{self.kind}List"

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    @property
    def is_review(self) -> bool:
        """A question that is answered, not an object that is kept."""
        return self.verbs == ("create",)


def rows(group: str, version: str, *specs: tuple[str, str, dict[str, object]]) -> Iterable[Resource]:
    """Rows of one version, each of a plural, a kind and facts."""
    for plural, kind, facts in specs:
        storage = str(facts.pop("storage", "")) or (f"{plural}.{group}" if group else plural)
        yield Resource(group=group, version=version, plural=plural, kind=kind, storage=storage, **facts)  # type: ignore[arg-type]
