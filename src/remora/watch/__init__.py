"""The watch cache: what the API server has told us, as one immutable Snapshot with indexes, and what changed since.

`store` turns events and relists into snapshots and Changes, `debounce` says when to act on them. Pure: the network is in
`remora.kube`, the clock with the caller.
"""
