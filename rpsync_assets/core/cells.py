"""What stands around a value in its cell and is no part of it.

Belongs here: spaces, invisible characters, a spreadsheet's marks of text. Does not: what the value means.

Removing these is always certain: none of them says anything, and nobody who looks at the cell sees them.
"""

import polars as pl

SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
INVISIBLE = "\u2028\u2029\u202f\u205f\u3000\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def value(text: pl.Expr) -> pl.Expr:
    """The value of a cell: without spaces around it, and without what makes a spreadsheet take it as text.

    ``="0123"`` and ``'0123`` are how exports keep a spreadsheet from dropping a zero.
    """
    bare = text.str.strip_chars(SPACES + INVISIBLE)
    marked = pl.coalesce(bare.str.extract(r'^=?"([^"]*)"$'), bare.str.extract(r"^[=']([^=']*)$"))
    return pl.coalesce(marked.str.strip_chars(SPACES + INVISIBLE), bare)
