"""Inventory synchronization between Retail Pro POS, the HotWax Commerce OMS and Shopify, as a Dagster asset graph.

The map of the house; data flows one way, from left to right:

    settings     rpsync.toml + secrets from the environment, one frozen object; store_settings is its part of a store
    core/        the quiet room: rules as pure functions over polars frames; no Dagster, no I/O, no clock
    resources/   the doors: SFTP, OMS, Shopify, tables, warehouse, state
    assets/      the graph, thin; checks.py beside it
    clock/       jobs, schedules, sensors: what runs when, and what a day waits for
    alerts/      who is told what went wrong
    definitions  the front door: assembles, does no work
    oms/         the embedded OMS on SQLite: what HotWax is in production
    sandbox/     a small world to run against
    demo/        the main job in the sandbox, for people
    cli          rpsync
"""
