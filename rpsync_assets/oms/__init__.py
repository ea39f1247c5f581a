"""The embedded OMS on SQLite: what HotWax Commerce is in production, so that the product runs without it.

Belongs here: tables, imports, the inbox. Does not: anything the graph decides; it reaches this room through
``resources/oms`` only.
"""
