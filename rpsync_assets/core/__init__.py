"""The quiet room: the rules about inventory, as pure functions over polars frames and plain values.

Belongs here: each rule once, with its source. Does not: Dagster, files, sockets, databases, clocks, environment
(ruff enforces it, see ``banned-api`` in pyproject.toml). A caller passes the moment and the bytes; it gets frames back.

    errors     what can go wrong, and whether a rerun helps
    names      business dates, file names, generations
    gtin       when a text is a UPC, and when two of them are the same
    reader     the bytes of Retail Pro's file -> rows of text
    active     what the OMS lists -> the active products
    reset      rows of text -> kept, inactive, rejected by reason
    parts      kept rows -> the delivered CSV parts
    variance   unreported shipments x accepted rows -> the variance file
    atp        stock and rules -> what may be sold, with every step's number
    feed       what may be sold -> target quantity per Shopify item and location, and the difference to Shopify
    ledger     which OMS movements are physical
    guards     may this be delivered? with the number and the threshold
"""
