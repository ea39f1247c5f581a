"""``rpsync doctor``: looks at a set-up from end to end, and changes nothing that lasts.

Belongs here: looking, and saying what to mend. Does not: mending, and the doors that it looks through (``resources/``).
"""
