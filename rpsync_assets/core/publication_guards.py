"""May this be published to Shopify, and did it arrive? Verdicts, as in ``core/guards``.

Belongs here: how much of a shop one publication may change, and what a re-read shows. Does not: what is published
(``core/publication``).
"""

from collections.abc import Mapping

from rpsync_assets.core.guards import Verdict

MOST_NOT_TAKEN = 0.05
"""Share of a shop that may be missing from it: bundles and variants that were deleted since the last product sync."""

SMALL_SHOP = 20
"""With fewer items than this a share says nothing: one shoe would be a mass change."""


def publication_changes(
    changed: int, *, zeroed: int, compared: int, max_changed_share: float, max_zeroed_share: float
) -> list[Verdict]:
    """A publication that changes most of a shop, or empties it, is more often a mistake than a morning."""
    of = max(compared, 1)
    mend = (
        "Look at the biggest changes in the feed. If they are right, materialize this asset with the config"
        ' {"release": "why you are sure"}'
    )
    return [
        Verdict(
            name=name,
            passed=compared < SMALL_SHOP or number / of <= most,
            observed=round(number / of, 4),
            threshold=f"at most {most} of {compared} items (from {SMALL_SHOP} items on)",
            found=f"the publication would {what} {number} of {compared} items",
            mend=mend,
            releasable=True,
        )
        for name, number, most, what in (
            ("publication_changed_share", changed, max_changed_share, "change"),
            ("publication_zeroed_share", zeroed, max_zeroed_share, "take to zero"),
        )
    ]


def shopify_takes(refused: int, *, not_stocked: int, compared: int, codes: Mapping[str, int]) -> Verdict:
    """Items that Shopify refuses, or has no count of, are not what they should be and nobody would see it."""
    why = ", ".join(f"{code}: {number}" for code, number in sorted(codes.items()))
    return Verdict(
        name="shopify_takes",
        passed=refused + not_stocked <= MOST_NOT_TAKEN * compared,
        observed=round((refused + not_stocked) / max(compared, 1), 4),
        threshold=f"at most {MOST_NOT_TAKEN} of {compared} items",
        found=f"{refused} items are refused by Shopify{f' ({why})' if why else ''}, {not_stocked} are not stocked at"
        " their location",
        mend="Look at the refused rows in the metadata. INVALID_LOCATION: correct SHOPIFY_SHOP_LOCATION in HotWax;"
        " not stocked: stock the item at the location in Shopify; bundles follow from their parts",
        details=dict(codes),
    )


def shopify_matches(drifting: int, *, compared: int, units: int) -> Verdict:
    """After a publication, read again: Shopify shows what may be sold less what is under way."""
    return Verdict(
        name="shopify_matches",
        passed=drifting == 0,
        observed=drifting,
        threshold=f"at most 0 of {compared} items",
        found=f"{drifting} of {compared} items show another number than they should, {units} units in all"
        if compared
        else "nothing was read again: only a full comparison that is sent is read again",
        mend="Look at the rows in the metadata; the next publication tries again. If it comes back every day, somebody"
        " else publishes to this shop",
    )
