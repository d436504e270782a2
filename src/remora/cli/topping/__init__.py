"""`remora top`: `rates` (two reports to rows), `choice` (what is shown, and what keys do to that), `draw` (rows to lines),
`screen` (the terminal), `run` (all together). The first three are pure."""
