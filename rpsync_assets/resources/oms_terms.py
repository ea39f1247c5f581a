"""What the OMS's tables mean by a word, as SQL conditions that every question shares.

Belongs here: conditions on a table that a question names. Does not: the questions (``oms_sql``, ``oms_lookup_sql``),
which ledger rows are movements of goods (``core/ledger``).
"""


def current(table: str) -> str:
    """Its FROM_DATE has come by ``:at``, and its THRU_DATE has not."""
    return f"{table}.FROM_DATE <= :at AND ({table}.THRU_DATE IS NULL OR {table}.THRU_DATE > :at)"


def physical(facility_type: str) -> str:
    """The facility of this type has a shelf; one whose type is unknown has, too."""
    return f"COALESCE({facility_type}.PARENT_TYPE_ID, '') <> 'VIRTUAL_FACILITY'"
