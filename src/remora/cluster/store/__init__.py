"""Where the local cluster keeps its objects: one SQLite file, mirrored in memory, with a log of changes for watches."""

from remora.cluster.store.store import Change, Store, Subscription, TooOldError

__all__ = ["Change", "Store", "Subscription", "TooOldError"]
