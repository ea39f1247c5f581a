"""A small world to run against: Retail Pro's files on a real SFTP server, and an OMS database shaped like HotWax's.

Belongs here: inventing data and serving it. Does not: anything the product needs to run in production; ``core`` and
``assets`` never import this room.

    stores, sizes    who takes part and how big the world is
    world            the folder: prepare it, extend it, refuse to mix two worlds
    catalog          products and what is wrong with some of them (pure)
    master_data      facilities, products, shops and opening stock into the OMS database
    scenarios        the kinds of orders of a morning, as a table
    orders, sales    orders (written by order_rows) and in-store sales of one morning, as rows
    oms_writer       rows into the OMS tables, totals kept equal to the ledger
    retail_pro_file  one file: kept rows, dirt, and millions of others, spread over the whole
    shopify_counts   what Shopify shows
    book             the sandbox's own truth, apart from the OMS: the independent oracle
    shelves          what is true, and which keys the file speaks about
    morning          one store, one business date: all of the above (its record: played_mornings)
    sftp_server      the server process
    memory           what a process took of it
"""
