"""The words of the page for a reader who is new to them.

Belongs here: one sentence each. Does not: columns (``columns.py``), reasons (``core/``).
"""

WORDS = {
    "key": "one product in one shop or warehouse: what Retail Pro counts",
    "snapshot": "the moment at which Retail Pro counted",
    "QOH": "quantity on hand: pieces that the OMS believes to lie on the shelf",
    "ATP": "available to promise: QOH less what is reserved for orders",
    "safety stock": "pieces that each shop keeps back from online orders",
    "in the channel": "the shop's stock counts for the online shop",
    "brokering": "sending an online order to a shop; where it is not allowed, the shop counts nothing online",
    "counts 29": "what a shop adds to the online number, after safety stock",
    "threshold": "pieces that are kept back once from the online number of all shops together",
    "sellable": "what may be sold after all these steps",
    "reset": "setting the OMS to Retail Pro's counts, keeping what moved since",
    "variance": "taking back out what was shipped online and Retail Pro did not know of when it counted",
    "unreported": "shipped, and the order was not yet completed and booked in Retail Pro when it counted",
    "owed": "a count of an earlier file that the OMS never took: it goes with this day's rows",
    "generation": "one content of the day's reset: the same rows again are the same generation",
    "import log": "the OMS's receipt number for a file",
    "under way": "sold at Shopify and not yet known to the OMS: Shopify has taken it off itself",
    "held": "an increase that waits until the variance of its key is in the OMS",
}
