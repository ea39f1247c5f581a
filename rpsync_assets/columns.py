"""What every column of every stored table means: one place, read by Dagster's schemas, DuckDB's comments and the docs.

Belongs here: table -> column -> type and sentence. Does not: the tables' own meaning where an asset's docstring tells
it, or how a table comes about. A column that stands in several tables has one name, one type and one meaning, unless a
table says otherwise. A test holds this against what is really stored.

The types are DuckDB's; ``business_date`` and ``product_store`` come from a partition's path.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

TEXT, WHOLE, COUNT, FLAG, NUMBER = "VARCHAR", "BIGINT", "UINTEGER", "BOOLEAN", "DOUBLE"
MOMENT = "TIMESTAMP WITH TIME ZONE"
TEXTS, DAY = "VARCHAR[]", "DATE"


@dataclass(frozen=True)
class Column:
    """One column: its type in DuckDB, and one sentence."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        columns: by name, in the order in which a view shows them.
        sentence: what it is; empty where it is an asset, whose docstring tells.
        beside: the asset that writes it; empty for an asset's own table.
        dated: it has partitions by business date.
    """

    columns: Mapping[str, Column] = field(default_factory=dict[str, Column])
    sentence: str = ""
    beside: str = ""
    dated: bool = True

    @property
    def partition_columns(self) -> dict[str, Column]:
        """The columns that a partition's path holds."""
        return PARTITION if self.dated else {"product_store": PARTITION["product_store"]}


PARTITION = {
    "business_date": Column("DATE", "the morning that the file serves, by the store's own calendar"),
    "product_store": Column(TEXT, "the product store, as the OMS calls it"),
}

_SHARED = {
    "facility_id": Column(TEXT, "the facility (shop or warehouse), by the OMS's id"),
    "product_id": Column(TEXT, "the product, by the OMS's id"),
    "sku": Column(TEXT, "the product's internal name in the OMS"),
    "upca": Column(TEXT, "the product's current UPCA, spelled as the OMS spells it"),
    "store_code": Column(TEXT, "the facility as Retail Pro writes it in its file"),
    "upc_text": Column(TEXT, "the UPC exactly as it stands in Retail Pro's file"),
    "line_number": Column(COUNT, "the line of the file, the header being line 1"),
    "snapshot_at": Column(MOMENT, "T0: the moment Retail Pro counted"),
    "generation": Column(WHOLE, "the content of the day's reset: the same rows again are the same generation"),
    "file_name": Column(TEXT, "the file's name"),
    "remote_path": Column(TEXT, "where the file lies on the SFTP server"),
    "bytes": Column(WHOLE, "the file's size in bytes"),
    "rows": Column(WHOLE, "how many rows"),
    "log_id": Column(TEXT, "the OMS's import log entry: the receipt"),
    "imported_at": Column(MOMENT, "when the OMS imported the row"),
    "quantity_on_hand": Column(WHOLE, "QOH: pieces that the OMS believes to lie on the shelf"),
    "quantity_on_hand_before": Column(WHOLE, "QOH right before the row was imported; empty where that is not known"),
    "available_to_promise": Column(WHOLE, "ATP: pieces that are not promised to anybody yet"),
    "shopify_inventory_item_id": Column(TEXT, "Shopify's inventory item"),
    "shopify_location_id": Column(TEXT, "Shopify's location"),
    "reason": Column(TEXT, "why, in a word that groups, or in the OMS's own words"),
}


def _columns(*shared: str, **own: tuple[str, str]) -> dict[str, Column]:
    return {name: _SHARED[name] for name in shared} | {name: Column(kind, what) for name, (kind, what) in own.items()}


_FEED = {
    "role": (TEXT, "online: the location shows the channel's number; pickup: its own facility's"),
    "quantity": (WHOLE, "what may be sold, as the OMS had it at that moment"),
}
_PLAN = {
    **_FEED,
    "shopify_available": (WHOLE, "C: what Shopify showed as available; empty where it was not read or is not stocked"),
    "under_way": (WHOLE, "sold at Shopify and not yet known to the OMS"),
    "reflected": (WHOLE, "K: units of imported Shopify orders that the OMS's number is lower by"),
    "target": (WHOLE, "what Shopify should show: what may be sold less what is under way, never below zero"),
    "difference": (WHOLE, "what Shopify's count has to change by"),
    "outcome": (TEXT, "unchanged, up, down, held (waits for the variance) or not_stocked"),
    "baseline": (WHOLE, "B: the number that Shopify's count stands for once the row is published"),
}
_RAW_SHARED = ("file_name", "remote_path", "bytes", "snapshot_at")
_RAW = {
    "landed_path": (TEXT, "where the file lies in the landing folder, byte for byte as sent"),
    "rows": (WHOLE, "rows below the header"),
    "sha256": (TEXT, "the checksum of the file's bytes"),
    "modified_at": (MOMENT, "when the file was last written, by the server's clock"),
    "file_kind": (TEXT, "delta: what changed; full: every product ever created"),
    "compression": (TEXT, "none or gzip"),
    "encoding": (TEXT, "how the file's text is encoded"),
    "same_content_as": (TEXT, "an earlier file with the same content; empty if this is the first"),
    "same_content_day": (DAY, "the business date of that earlier file"),
    "landed_at": (MOMENT, "when it was landed here"),
}
_SHIPPED_SHARED = ("facility_id", "product_id", "upca", "snapshot_at")
_SHIPPED = {
    "quantity": (WHOLE, "pieces shipped"),
    "order_id": (TEXT, "the order, by the OMS's id"),
    "order_name": (TEXT, "the order, by the number a customer knows"),
    "order_item_seq_id": (TEXT, "the order's line"),
    "order_status": (TEXT, "the order's status when this was asked"),
    "issued_at": (MOMENT, "when the pieces left the shelf"),
    "evidence": (TEXT, "issuance, or item_completed where the OMS holds no issuance"),
    "current_upcas": (WHOLE, "how many UPCAs the product has now; one is right"),
}
_ITEM = ("shopify_inventory_item_id", "shopify_location_id", "product_id", "facility_id")

TABLES: dict[str, Table] = {
    "raw_reset_file": Table(_columns(*_RAW_SHARED, **_RAW)),
    "landed_files": Table(
        _columns(*_RAW_SHARED, **_RAW),
        sentence="Every file of Retail Pro's that was ever landed for a day, in the order of landing.",
        beside="raw_reset_file",
    ),
    "active_products": Table(
        _columns(
            "product_id",
            "sku",
            "upca",
            gtin=(WHOLE, "the UPCA as a number: how lines of the file are matched, leading zeros mean nothing"),
            check_digit_valid=(FLAG, "whether the UPCA's last digit is its check digit; false is a warning"),
            shopify_inventory_item_ids=(TEXTS, "Shopify's inventory items of the product"),
        ),
    ),
    "excluded_products": Table(
        _columns(
            "product_id",
            "sku",
            "upca",
            "reason",
        ),
        sentence="Published products that are not on the list of active products, each with the reason.",
        beside="active_products",
    ),
    "filtered_reset": Table(
        _columns(
            "facility_id",
            "upca",
            "product_id",
            "snapshot_at",
            "line_number",
            "store_code",
            "upc_text",
            "file_name",
            quantity=(WHOLE, "F: pieces that Retail Pro counted"),
            owed=(FLAG, "the count is of an earlier file, and the OMS never took it"),
        ),
    ),
    "owed_keys": Table(
        _columns(
            "facility_id",
            "upca",
            "product_id",
            "snapshot_at",
            "line_number",
            "store_code",
            "upc_text",
            "file_name",
            quantity=(WHOLE, "F: pieces that Retail Pro counted"),
            serves=(DAY, "the business date of the file that the count comes from"),
            why=(
                TEXT,
                "day_not_delivered, not_accepted, late_listing, or day_held: it waits until its day is released",
            ),
        ),
        sentence="Counts of earlier files that the OMS never took: they go with this day's rows, but for held ones.",
        beside="filtered_reset",
    ),
    "rejected_reset_rows": Table(
        _columns(
            "line_number",
            "store_code",
            "upc_text",
            quantity_text=(TEXT, "the quantity exactly as it stands in Retail Pro's file"),
            raw_text=(TEXT, "the whole line as it stands there"),
            reason=(TEXT, "why the row was not applied, in a word that groups"),
        ),
        sentence="Rows of Retail Pro's file that somebody may have to look at: of an active product, or unreadable.",
        beside="filtered_reset",
    ),
    "reset_row_accounting": Table(
        _columns(
            fate=(
                TEXT,
                "lines (counted on arrival), kept, inactive, rejected: and the reason, or owed (of earlier files)",
            ),
            rows=(WHOLE, "how many rows have this fate; those of the file itself sum to its lines"),
        ),
        sentence="Where the rows of Retail Pro's file went, to the row.",
        beside="filtered_reset",
    ),
    "filtered_reset_parts": Table(
        _columns(
            "generation",
            "file_name",
            "remote_path",
            "rows",
            "bytes",
            "snapshot_at",
            part=(WHOLE, "which part of the delivery, from 1"),
            parts=(WHOLE, "of how many"),
            digest=(TEXT, "checksum of all parts: what makes a generation"),
            delivered_at=(MOMENT, "when the file lay under its final name on the server"),
        ),
    ),
    "released_days": Table(
        _columns(
            "file_name",
            sha256=(TEXT, "the checksum of the file's bytes: other content under its name is not released"),
            released_because=(TEXT, "why the person who released it was sure"),
            released_at=(MOMENT, "when that was"),
            run_id=(TEXT, "the run with that configuration"),
        ),
        sentence="Held files that a person released, and why.",
        beside="filtered_reset_parts",
    ),
    "held_files": Table(
        _columns(
            "file_name",
            sha256=(TEXT, "the checksum of the file's bytes"),
            held_at=(MOMENT, "when delivery was refused"),
            found=(TEXT, "what the guards found"),
        ),
        sentence="Files that the guards hold: none of their rows goes with a later day until a person released them.",
        beside="filtered_reset_parts",
    ),
    "reset_import": Table(
        _columns(
            "facility_id",
            "product_id",
            "upca",
            "snapshot_at",
            "generation",
            "log_id",
            "imported_at",
            "quantity_on_hand_before",
            "reason",
            line_number=(WHOLE, "the line of the delivered file, the header being line 1"),
            quantity=(WHOLE, "F: pieces that Retail Pro counted"),
            status=(TEXT, "applied, unchanged (agreed already), superseded (a newer count was there) or failed"),
            moved_since_snapshot=(WHOLE, "pieces that came or left between count and import; empty for HotWax"),
            difference=(
                WHOLE,
                "by how much the import changed QOH and ATP; empty where HotWax's ledger or import log is not read",
            ),
        ),
    ),
    "unreported_shipments": Table(_columns(*_SHIPPED_SHARED, **_SHIPPED)),
    "unreported_shipments_of_owed_keys": Table(
        _columns(*_SHIPPED_SHARED, **_SHIPPED),
        sentence="What Retail Pro was not told of when it counted the keys that were owed, as of their own counts.",
        beside="variance_file",
    ),
    "variance_file": Table(
        _columns(
            "facility_id",
            "product_id",
            "upca",
            "snapshot_at",
            "generation",
            available_delta=(WHOLE, "what the OMS is told to change QOH and ATP by"),
            orders_part=(WHOLE, "of that, minus the pieces that Retail Pro was not told of"),
            window_part=(WHOLE, "of that, movements that HotWax's import overwrote; 0 with the embedded OMS"),
            orders=(COUNT, "how many unreported orders"),
        ),
    ),
    "variance_import": Table(
        _columns(
            "facility_id",
            "product_id",
            "upca",
            "log_id",
            "imported_at",
            "quantity_on_hand_before",
            "reason",
            line_number=(WHOLE, "the line of the delivered file, the header being line 1"),
            status=(TEXT, "applied, clamped (there was less than that), void or failed"),
            requested=(WHOLE, "the change that the file asked for"),
            applied=(WHOLE, "the change that the OMS made"),
        ),
    ),
    "online_atp": Table(
        _columns(
            "product_id",
            "facility_id",
            "quantity_on_hand",
            "available_to_promise",
            scope=(TEXT, "facility: one row per shelf; channel: one row per product, over the channel's facilities"),
            minimum_stock=(WHOLE, "safety stock of the facility"),
            after_safety_stock=(WHOLE, "what safety stock leaves of the facility's ATP, never below zero"),
            in_channel=(FLAG, "the facility is a current member of the online channel"),
            brokering_allowed=(FLAG, "online orders may be brokered to the facility"),
            pickup_allowed=(FLAG, "the facility may sell for pick-up"),
            counted_in_channel=(WHOLE, "what this row adds to the channel's number; on a channel row their sum"),
            facilities_counted=(COUNT, "how many facilities the channel's number is summed over"),
            threshold=(WHOLE, "pieces that are kept back from the online channel, once"),
            queue_demand=(WHOLE, "pieces of orders that wait to be brokered"),
            preorder_demand=(WHOLE, "pieces of pre- and back-orders that hold the physical stock"),
            channel_allowed=(FLAG, "the channel's configuration lets the product be sold"),
            sellable=(WHOLE, "what may be sold: online (channel rows) or for pick-up (facility rows)"),
            note=(TEXT, "why it is zero, where a rule and not the stock makes it so"),
        ),
    ),
    "shopify_feed": Table(_columns(*_ITEM, **_FEED)),
    "shopify_full_reset": Table(_columns(*_ITEM, **_PLAN)),
    "shopify_delta": Table(_columns(*_ITEM, **_PLAN), dated=False),
    "pos_sales": Table(
        _columns(
            "facility_id",
            "product_id",
            quantity=(WHOLE, "pieces: below zero sold, above zero returned"),
            event_at=(MOMENT, "when it was sold"),
            arrived_at=(MOMENT, "when the OMS took it in"),
            ledger_entry=(TEXT, "the OMS's ledger row"),
            remark=(TEXT, "what the API noted about it"),
        ),
    ),
    "reset_preview": Table(
        _columns(
            "facility_id",
            "product_id",
            "upca",
            "quantity_on_hand",
            counted=(WHOLE, "F: pieces that Retail Pro counted"),
            moved_since_snapshot=(WHOLE, "L: pieces that came or left since the count"),
            unreported=(WHOLE, "U0: pieces shipped that Retail Pro was not told of"),
            would_be=(WHOLE, "QOH after reset and variance"),
            difference=(WHOLE, "by how much that differs from now"),
            effect=(TEXT, "up, down, unchanged or superseded (a newer count was accepted)"),
            crossing=(TEXT, "to_zero or back_from_zero, where it is one of these"),
        ),
    ),
    "shopify_preview": Table(
        _columns(*_ITEM, **_PLAN),
        sentence="What a full publication would change at Shopify if the day were delivered; nothing was sent.",
        beside="reset_preview",
    ),
    "daily_sync_report": Table(
        _columns(
            "bytes",
            file_name=(TEXT, "where the page lies"),
            checks_passed=(WHOLE, "checks of the day that passed"),
            checks_not_passed=(WHOLE, "checks of the day that did not, warnings included"),
            verdict=(TEXT, "the page's first line"),
            made_at=(MOMENT, "when the page was made"),
        ),
    ),
    "stops": Table(
        _columns(
            asset=(TEXT, "the asset that was stopped"),
            check_name=(TEXT, "the check that refused; empty for an error"),
            observed=(TEXT, "the number that was seen"),
            threshold=(TEXT, "the number that it was held against"),
            found=(TEXT, "what was found"),
            mend=(TEXT, "what to do about it"),
            rerun_helps=(FLAG, "whether the same run may pass later"),
            stopped_at=(MOMENT, "when it was stopped"),
            run_id=(TEXT, "the run, as Dagster knows it"),
        ),
        sentence="Why a day stands still: what stopped each of its assets when it was run last.",
        beside="every asset",
    ),
}
"""By name. The assets come in the order of the day."""


def described(table: str) -> dict[str, Column]:
    """All columns of a table, those of its partitions first; empty for a table that nobody has described."""
    known = TABLES.get(table)
    return {} if known is None else {**known.partition_columns, **known.columns}
