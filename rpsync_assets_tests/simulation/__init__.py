"""Simulated months of a store against the product's real code: one seed is one story, and what fails is made short.

    events      a seed -> the story: what happens when, as plain numbers
    world       the truth: shelves, Retail Pro's view, orders; what each system has been told of it
    books       the OMS's database as the OMS itself writes it (embedded and HotWax-like alike)
    retail_pro  the inventory file of a snapshot, and what goes wrong with it on the way
    shop        Shopify behind the product's own client, without HTTP
    doors       everything else that the product speaks with, and the power cuts in between
    product     the graph's own functions, called in the graph's order
    play        a story, played
    invariants  what has to hold after each day and each publication
    shrink      a story that fails -> the shortest one that still does

What is right is computed here from the truth alone, never with the product's code.
"""
