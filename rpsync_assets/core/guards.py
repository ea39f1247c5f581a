"""May this be delivered? Each guard is a function that answers with a number and a threshold.

Belongs here: verdicts. Does not: raising (the delivering asset does, through ``assets/verdicts``) or showing (the asset
check shows the same verdict). A blocking asset check stops only its own run; an analyst who materializes the delivery
alone later would ship bad rows, so the delivering asset calls the guard itself (design.md section 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from rpsync_assets.core import gtin
from rpsync_assets.core.parts import MOST_RECORDS
from rpsync_assets.core.reset import Accounting


@dataclass(frozen=True)
class Verdict:
    """What a guard found.

    Attributes:
        name: the asset check that shows it.
        passed: whether delivery may go on.
        observed: the number seen.
        threshold: the number it was held against, in words an analyst reads ("at most 0").
        found: one sentence about what was seen.
        mend: what to do when it did not pass.
        releasable: a person may look and release it by run configuration; otherwise nobody can.
        details: further numbers for the UI.
    """

    name: str
    passed: bool
    observed: int | float | str
    threshold: str
    found: str
    mend: str = ""
    releasable: bool = False
    details: dict[str, int | float | str] = field(default_factory=dict[str, int | float | str])


def raw_row_count(rows: int, *, file_name: str, file_kind: str) -> Verdict:
    """A file with a header only: a full file is refused, a delta may be a closed holiday and is held later."""
    return Verdict(
        name="raw_row_count",
        passed=rows > 0 or file_kind == "delta",
        observed=rows,
        threshold="at least 1" if file_kind == "full" else "none: a delta may be empty, and is held at its delivery",
        found=f"{file_name} has {rows} rows below its header",
        mend="A full file is never empty: ask Retail Pro to export and send it again",
    )


CLOCKS_APART = timedelta(minutes=15)
"""So far Retail Pro's clock may be ahead of ours."""


def raw_snapshot_past(snapshot_at: datetime, *, now: datetime, file_name: str) -> Verdict:
    """A count of the future is a wrong time zone: it would swallow sales, and keep true counts from being accepted."""
    ahead = (snapshot_at - now) / timedelta(minutes=1)
    return Verdict(
        name="raw_snapshot_past",
        passed=snapshot_at <= now + CLOCKS_APART,
        observed=round(ahead, 1),
        threshold=f"at most {CLOCKS_APART / timedelta(minutes=1):.0f} minutes ahead of our clock",
        found=f"{file_name} was counted at {_at(snapshot_at)}, {_apart(abs(ahead))}"
        f" {'ahead of our clock' if ahead > 0 else 'before it was landed'}",
        mend="Correct the store's time_zone in the settings, or the clock of the machine that names the files",
    )


def rows_accounted_for(accounting: Accounting, *, lines: int) -> Verdict:
    """Raw = kept + inactive + rejected by reason, to the row, against the lines counted while the file arrived."""
    rejected = sum(accounting.rejected.values())
    return Verdict(
        name="rows_accounted_for",
        passed=accounting.accounted == lines == accounting.read,
        observed=accounting.accounted,
        threshold=f"exactly {lines}, the lines counted on arrival",
        found=f"{lines} lines = {accounting.kept} kept + {accounting.inactive} inactive + {rejected} rejected"
        + ("" if accounting.accounted == lines else f", a gap of {lines - accounting.accounted}"),
        mend="Rows got lost between arrival and filter: keep the raw file and report this as a defect",
        details={
            "kept": accounting.kept,
            "inactive": accounting.inactive,
            "rejected": rejected,
            **accounting.rejected,
        },
    )


def stored_rows_match_accounting(gaps: Mapping[str, tuple[int, int]]) -> Verdict:
    """The stored tables hold as many rows of each fate as the accounting says; ``gaps`` are the fates that differ."""
    told = ", ".join(f"{fate}: {stored} stored, {said} told" for fate, (stored, said) in sorted(gaps.items()))
    return Verdict(
        name="stored_rows_match_accounting",
        passed=not gaps,
        observed=len(gaps),
        threshold="at most 0 fates whose stored rows differ from the accounting",
        found=told or "as many rows are stored of each fate as the accounting says",
        mend="The tables are of different runs: materialize filtered_reset again",
    )


def filtered_row_count(rows: int, *, accounting: Accounting) -> Verdict:
    """An empty filtered reset is held: a closed holiday looks like that, and so does a wrong column or list."""
    fates = {"inactive": accounting.inactive, **accounting.rejected}
    most = max(fates, key=lambda fate: fates[fate])
    return Verdict(
        name="filtered_row_count",
        passed=rows > 0,
        observed=rows,
        threshold="at least 1",
        found=f"{rows} of {accounting.read} raw rows are left to deliver"
        + (f"; {fates[most]} are {most}" if fates[most] and not rows else ""),
        mend=("Look at rejected_reset_rows, active_products and the file's columns first. " if accounting.read else "")
        + "If the stores were closed, release the day: materialize filtered_reset_parts with the config"
        ' {"release": "why you are sure"}',
        releasable=True,
    )


def active_row_count(rows: int, *, excluded: int) -> Verdict:
    """An empty list would call every row inactive."""
    return Verdict(
        name="active_row_count",
        passed=rows > 0,
        observed=rows,
        threshold="at least 1",
        found=f"{rows} active products; {excluded} published products are left out with a reason",
        mend="Nothing is published for this product store in the OMS: check SHOPIFY_SHOP and SHOPIFY_SHOP_PRODUCT",
    )


def upca_valid(frame: pl.DataFrame, *, name: str) -> Verdict:
    """Every UPCA of a table is one that can be matched; failing check digits are told, not refused (domain.md 1.8)."""
    keys = frame.select(key=gtin.key(pl.col("upca")))
    invalid = keys["key"].null_count()
    failing = int((~keys.select(ok=gtin.has_valid_check_digit(pl.col("key")))["ok"]).sum())
    return Verdict(
        name=name,
        passed=invalid == 0,
        observed=invalid,
        threshold="at most 0 UPCAs that are not 7 to 14 digits",
        found=f"{frame.height - invalid} of {frame.height} UPCAs are valid; {failing} of them fail their check digit",
        mend="Correct the UPCA in the OMS (GOOD_IDENTIFICATION)",
        details={"failing check digit": failing},
    )


def unique(frame: pl.DataFrame, columns: Sequence[str], *, name: str, what: str) -> Verdict:
    """No two rows of a table share these columns."""
    twins = frame.height - frame.select(columns).unique().height
    return Verdict(
        name=name,
        passed=twins == 0,
        observed=twins,
        threshold="at most 0 rows that repeat another's key",
        found=f"{frame.height} rows, {twins} of them repeat {what}",
        mend="Report this as a defect: nothing was delivered from this table",
    )


def part_row_counts(part_rows: Sequence[int], *, rows: int) -> Verdict:
    """Parts hold every row once, are balanced and never above the limit."""
    largest = max(part_rows, default=0)
    balanced = largest - min(part_rows, default=0) <= 1
    return Verdict(
        name="part_row_counts",
        passed=sum(part_rows) == rows and largest <= MOST_RECORDS and balanced,
        observed=largest,
        threshold=f"at most {MOST_RECORDS} rows in a part, {rows} in all, sizes at most 1 apart",
        found=f"{rows} rows in {len(part_rows)} part(s): {', '.join(map(str, part_rows)) or 'none'}",
        mend="Report this as a defect: nothing was delivered",
        details={"parts": len(part_rows)},
    )


def import_complete(
    *, delivered: int, reported: int, failed: int, max_failed_share: float, reasons: Mapping[str, int]
) -> Verdict:
    """The OMS says it took in as many rows as we wrote, and hardly any failed (domain.md 1.5)."""
    share = failed / delivered if delivered else 0.0
    return Verdict(
        name="import_complete",
        passed=delivered == reported and share <= max_failed_share,
        observed=round(share, 6),
        threshold=f"a failed share of at most {max_failed_share}, of exactly {delivered} rows",
        found=f"the OMS reports {reported} rows for the {delivered} delivered, {failed} of them failed"
        + "".join(f" ({count}: {reason})" for reason, count in reasons.items()),
        mend="Failed keys keep their old number until Retail Pro's next file: mend the OMS's data for it. To"
        " go on with the rows that were applied, materialize reset_import with the config"
        ' {"release": "why you are sure"}',
        releasable=delivered == reported,
        details={"failed": failed},
    )


def variance_keys_within_reset(variance: pl.DataFrame, *resets: pl.DataFrame) -> Verdict:
    """S001: only items that are in that day's reset may be deducted."""
    key = ["facility_id", "upca"]
    strangers = variance.join(pl.concat([reset.select(key) for reset in resets]), on=key, how="anti").height
    return Verdict(
        name="variance_keys_within_reset",
        passed=strangers == 0,
        observed=strangers,
        threshold="at most 0 keys outside the day's reset",
        found=f"{variance.height} variance rows, {strangers} of them for keys that the day's reset does not hold",
        mend="Materialize filtered_reset, filtered_reset_parts and reset_import of this day again, then this asset",
    )


def variance_reset_same_day(*, partition: str, expected: datetime, found: Mapping[str, datetime]) -> Verdict:
    """The shipments, the filter and the imported reset are all of one snapshot: that of the partition's raw file."""
    others = {name: moment for name, moment in found.items() if moment != expected}
    return Verdict(
        name="variance_reset_same_day",
        passed=not others,
        observed=len(others),
        threshold=f"at most 0 assets of another snapshot than {_at(expected)}",
        found=f"the reset of {partition} is as of {_at(expected)}"
        + "".join(f", but {name} is as of {_at(moment)}" for name, moment in others.items()),
        mend="Materialize the whole day from raw_reset_file on, so that all of it is of one file",
    )


def not_negative(frame: pl.DataFrame, column: str, *, name: str) -> Verdict:
    """Nothing below zero is offered for sale."""
    below = frame.filter(pl.col(column) < 0).height
    return Verdict(
        name=name,
        passed=below == 0 and frame[column].null_count() == 0,
        observed=below,
        threshold="at most 0 rows below zero or blank",
        found=f"{frame.height} rows, {below} of them below zero, {frame[column].null_count()} blank",
        mend="Report this as a defect: nothing was published from this table",
    )


def oms_matches_retail_pro(differences: pl.DataFrame, *, keys: int) -> Verdict:
    """The acceptance test of the product: ``QOH(t) - L(T0,t] + U0 = F`` for every accepted key (design.md 5)."""
    return Verdict(
        name="oms_matches_retail_pro",
        passed=differences.height == 0,
        observed=differences.height,
        threshold="at most 0 differing keys",
        found=(f"{keys} accepted keys compared, {differences.height} differ" if keys else "no accepted key to compare")
        + (
            f", the largest by {int(differences['difference'].abs().max() or 0)} units"  # type: ignore[arg-type]
            if differences.height
            else ""
        ),
        mend="If the variance of this day was not imported yet, import it. A variance that the OMS clamped at zero"
        " leaves its units here: see variance_import. Else look at the differing keys below",
        details={"keys": keys},
    )


def _at(moment: datetime) -> str:
    """A moment in the zone that it was given in: the store's."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def _apart(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
