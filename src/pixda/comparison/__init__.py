"""``pixda compare``: methods x shots x seeds x splits, run and put into tables."""
