"""The doors to everything outside: SFTP, the OMS, Shopify, our tables, our state. Narrow verbs, frozen records.

Belongs here: talking to the outside, and turning its failures into ``core.errors``. Does not: rules about inventory
(``core/``) or Dagster assets (``assets/``).
"""
