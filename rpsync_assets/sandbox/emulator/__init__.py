"""An emulator of the part of Shopify's Admin GraphQL API that the product speaks, for the sandbox and the tests.

Belongs here: what Shopify does. Does not: the product's client (``resources/shopify``).

    schema.graphql   the operations and types: a subset of the real schema
    shop             counts, orders, and a log of every change: the witness of what was applied, and how often
    rules            what a quantity call may and may not do (domain.md 5.2 to 5.4), which the schema does not say
    answers          orders, locations and calls in the shapes of the schema
    server           HTTP, the token, the leaky bucket, and trouble on request
"""
