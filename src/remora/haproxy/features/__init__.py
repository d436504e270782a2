"""A file per feature: its rules in the program, and its entries in the maps."""
