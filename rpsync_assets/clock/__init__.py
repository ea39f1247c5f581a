"""When things run, and who says so when they do not.

Belongs here: jobs, schedules, sensors. Does not: what an asset does (``assets/``), rules (``core/``).

    jobs        which assets belong together, by name
    progress    how far a business date of a store is, from what is on record
    steps       which run is due next, or what the day waits for
    sensors     one per store: starts each step when its data is there, and complains at the deadline
    schedules   the clock: the list at 01:00, a word at 01:30 if the day has not begun, deltas every 15 minutes
    lateness    a late day is red before the shop opens
"""
