"""Pages that show what controllers and the API server publish. Composed by `cli`, which hands in who is asked and how."""
