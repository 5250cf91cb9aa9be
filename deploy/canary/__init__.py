"""A synthetic meter: a reading each quarter of an hour, and whether its cost came out."""
