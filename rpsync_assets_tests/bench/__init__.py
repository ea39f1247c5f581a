"""``make bench``: ourselves beside peers on the same file, in one run. Figures are ratios; none is a timed test.

Belongs here: peers and the table. Does not: tests.
"""
