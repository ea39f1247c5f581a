"""How every page of this folder is made from its template.

Belongs here: the environment. Does not: pages, or anything heavy: the pages' server must be there at once.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Text is escaped, and a name that was not handed over is an error."""
    return Environment(
        loader=PackageLoader("rpsync_assets.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
