"""`remora tail`: `choice` (which containers), `lines` (what has been shown), `look` (how a line is shown), `follow` (one
container), `run` (all of them). The first three are pure."""
