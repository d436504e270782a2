"""Where the local cluster keeps its objects: one SQLite file, mirrored in memory, with a log of changes for watches."""

from remora.cluster.store.store import Change, EndedError, Store, Subscription, TooOldError

__all__ = ["Change", "EndedError", "Store", "Subscription", "TooOldError"]
