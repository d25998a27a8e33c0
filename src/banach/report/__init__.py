"""The race page, verdict tables and figures; all read the race's plain JSON."""
