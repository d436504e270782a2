"""Annotations as a table: one row each, standing on the field of a frozen group that it fills.

`declare` says what a row is, `values` reads texts, a file per feature declares its groups, `registry` finds rows by name and
reads all annotations of an object. Parsed groups end at `translate`.
"""
