"""Telling people what went wrong: by e-mail and by webhook.

Belongs here: what is worth a message, its words, and getting it to where people are. Does not: deciding that something
is wrong (guards, checks, ``clock/lateness``).

    findings    what a finished run found: failures, red checks, rows that failed at the OMS
    channels    e-mail and webhook
    sensor      looks at every finished run once, and sends what was found to every channel once
"""
