"""What the settings say of one product store: ``[stores.X]`` of rpsync.toml.

Belongs here: its file, its clock, its shop, its guards' limits, each with its default and the reason of the default.
Does not: servers, secrets, reading the file (``settings``).
"""

import re
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rpsync_assets.core.names import DEFAULT_FILE_PATTERN
from rpsync_assets.core.reset import REASONS
from rpsync_assets.core.reset_guards import Limits
from rpsync_assets.core.variance import Told


class Section(BaseModel):
    """A table of the file: frozen, and a key nobody knows is an error rather than a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnNames(Section):
    """How this store's export names the three columns we need; the usual names are known (``core.reader.ALIASES``)."""

    store_code: str | None = None
    upc: str | None = None
    quantity: str | None = None


class StoreShopifySettings(Section):
    """A store's shop, and how far publishing to it may go."""

    # https://<shop>.myshopify.com; without it nothing is read from Shopify and nothing is sent.
    url: str | None = None
    # "dry_run" reads Shopify and tells what it would send; "on" sends. Exactly one system may publish to a shop.
    publish: Literal["off", "dry_run", "on"] = "dry_run"
    # A publication that would change more of the items, or take more of them to zero, is held: an ordinary night
    # changes a few in a hundred, and sells a few out.
    max_changed_share: float = Field(default=0.5, ge=0, le=1)
    max_zeroed_share: float = Field(default=0.1, ge=0, le=1)
    # Deltas compare with what was published; older than this, all is compared with Shopify itself.
    baseline_max_age_hours: int = Field(default=26, ge=1)
    # Shopify shows an app the orders of the last 60 days.
    order_days: int = Field(default=59, ge=1)

    @property
    def mode(self) -> Literal["off", "dry_run", "on"]:
        """How far publishing goes; off without a shop."""
        return "off" if self.url is None else self.publish


class GuardSettings(Section):
    """How far a day's file may differ from what is usual before its delivery is held (``core.reset_guards``)."""

    # Of the median of the last good days' rows. Left out: by the kind of file, a full one 0.9 to 1.5 (it only grows), a
    # delta 0.05 to 20 (a quiet Sunday, a stocktake).
    min_rows_share: float | None = Field(default=None, ge=0)
    max_rows_share: float | None = Field(default=None, gt=0)
    # Per reason. One in twenty is a bad column, not bad data ...
    max_rejected_share: float = Field(default=0.05, ge=0, le=1)
    # ... but two counts of one key are never right, and shops that are not in the OMS may be a steady few.
    max_rejected_share_of: dict[str, float] = {"conflicting_duplicate": 0.01, "unknown_facility": 0.1}
    # An ordinary night sells a few in a hundred out; a tenth of all stock gone is an export without a shop.
    max_zeroed_share: float = Field(default=0.1, ge=0, le=1)
    max_missing_share: float = Field(default=0.05, ge=0, le=1)

    @field_validator("max_rejected_share_of")
    @classmethod
    def _known_reasons(cls, shares: dict[str, float]) -> dict[str, float]:
        for reason, share in shares.items():
            if reason not in REASONS:
                raise ValueError(f"'{reason}' is none of {', '.join(REASONS)}")
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {reason} must be between 0 and 1")
        return shares

    @property
    def limits(self) -> Limits:
        """As the guards take them."""
        return Limits(
            rows_share=(self.min_rows_share, self.max_rows_share),
            rejected_share=self.max_rejected_share,
            rejected_share_of=self.max_rejected_share_of,
            zeroed_share=self.max_zeroed_share,
            missing_share=self.max_missing_share,
        )


class StoreSettings(Section):
    """One product store; its id in the OMS is its name in the file."""

    time_zone: str
    channel: str = Field(description="FACILITY_GROUP_ID of the channel group that the online location sells from")
    # Retail Pro sends ADOC's stores what changed (S001); a store that gets everything says "full".
    file_kind: Literal["delta", "full"] = "delta"
    file_pattern: str = DEFAULT_FILE_PATTERN
    # The name of a marker that says a file is whole ("{name}.done", "{stem}.done"); empty: its size must stand still.
    done_marker: str = ""
    columns: ColumnNames = ColumnNames()
    # Found by looking at the file, unless they are said here.
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252"] = "auto"
    separator: Literal["auto", ",", ";", "|", "\t"] = "auto"
    decimal_mark: Literal["auto", ".", ","] = "auto"
    # Real UPCAs fail their check digit (domain.md 1.8): a warning, unless this installation's never do.
    check_digit: Literal["warn", "reject"] = "warn"
    # A file cut inside its last number reads 10 as 1; only a final line end shows that it is whole.
    final_line_end: bool = True
    export_minutes: int = Field(default=0, ge=0)
    invoice_lag_minutes: int = Field(default=0, ge=0)
    # What tells Retail Pro of a shipment: the order is entirely completed (S001), or HotWax's fulfilled-item feed sent
    # the line (ORDER_FULFILLMENT_HISTORY, domain.md 0.4).
    booked_by: Literal["order_completed", "fulfillment_history"] = "order_completed"
    # A reset row that failed at the OMS keeps its old number: one in a hundred is a bad morning, more is a bad file.
    max_failed_share: float = Field(default=0.01, ge=0, le=1)
    # The store's own wall clock; by then the day must be done, Shopify included, or it is late and somebody is told.
    deadline: str = "05:00"
    # HotWax has one queue for all imports: hours are usual, half a night is not.
    import_patience_minutes: int = Field(default=240, ge=1)
    guards: GuardSettings = GuardSettings()
    shopify: StoreShopifySettings = StoreShopifySettings()

    @field_validator("deadline")
    @classmethod
    def _clock_time(cls, text: str) -> str:
        try:
            datetime.strptime(text, "%H:%M")  # noqa: DTZ007  a time of day, no moment
        except ValueError as error:
            raise ValueError(f"'{text}' is not a time of day such as 05:00") from error
        return text

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{name}' is not a time zone such as America/New_York") from error
        return name

    @field_validator("done_marker")
    @classmethod
    def _names_the_file(cls, template: str) -> str:
        if template and not ("{name}" in template or "{stem}" in template):
            raise ValueError(f"'{template}' must hold {{name}} or {{stem}}, such as {{name}}.done")
        return template

    @field_validator("file_pattern")
    @classmethod
    def _compilable(cls, pattern: str) -> str:
        try:
            re.compile(pattern.replace("{store}", "x"))
        except re.error as error:
            raise ValueError(f"'{pattern}' is not a regular expression: {error}") from error
        return pattern

    @property
    def zone(self) -> ZoneInfo:
        """The store's time zone."""
        return ZoneInfo(self.time_zone)

    def deadline_of(self, day: date) -> datetime:
        """The moment by which a business date must be done."""
        clock = datetime.strptime(self.deadline, "%H:%M").time()  # noqa: DTZ007  the zone is the store's
        return datetime.combine(day, clock, self.zone)

    @property
    def told(self) -> Told:
        """How Retail Pro comes to know of a shipment."""
        return Told(self.booked_by, timedelta(minutes=self.invoice_lag_minutes))
