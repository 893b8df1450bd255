"""How a study becomes results: parameters, units on disk, spreading work. Knows no paper and no page."""
