"""Every key that a config may hold, by topic; each key's docstring is its one documentation."""
