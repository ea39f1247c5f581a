"""What each asset check is about, so that a reviewer finds row counts and UPCAs at a glance.

Belongs here: the groups and their order, by the names of checks. Does not: the checks.
"""

GROUPS = {
    "Row counts": ("row_count", "rows_", "part_row", "keys_unique", "_unique", "_share"),
    "UPCA": ("upca",),
    "Agreement of the systems": ("matches", "complete", "pos_sales", "look_alike", "uncertain"),
    "Variance": ("variance",),
    "What is published": ("publication", "feed", "shopify", "not_negative"),
    "On time and of the right day": ("snapshot", "arriv", "late", "time", "is_new", "older_files"),
}
OTHER = "Other"


def group_of(check: str) -> str:
    """The group of a check; UPCA goes before the rest, and the first group that fits before later ones."""
    if "upca" in check:
        return "UPCA"
    if check.startswith(("feed", "publication", "shopify", "online")):
        return "What is published"
    return next((group for group, words in GROUPS.items() if any(word in check for word in words)), OTHER)
