"""Kills at random while listeners listen, and a look at whether anything was lost (`make chaos`)."""
