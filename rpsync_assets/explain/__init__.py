"""Why a number is what it is: the whole life of one key, from the line of Retail Pro's file to Shopify.

Belongs here: reading what the graph has left behind, and telling it in plain words. Does not: computing anything anew
that a table knows, writing, or Dagster: importing it alone takes longer than an answer may (a test holds this).
"""
