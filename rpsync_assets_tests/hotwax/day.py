"""A store's day against a HotWax: the real graph, a real SFTP server, a replica on MariaDB, HotWax's importer.

Belongs here: which settings make it so, and HotWax's two jobs as one verb. Does not: what happens in stores
(``world``), what the importer does (``stand_in``), the graph's side (``graph/tiny_world``).
"""

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Engine

from rpsync_assets.oms.tables import metadata
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.tiny_oms import Moment, at
from rpsync_assets_tests.graph.tiny_world import DAY, Ran, TinyWorld
from rpsync_assets_tests.hotwax.stand_in import StandIn
from rpsync_assets_tests.hotwax.world import HotWaxWorld


@dataclass
class HotWaxDay(TinyWorld):
    """A tiny world whose OMS is HotWax.

    Attributes:
        replica: HotWax's database.
        told: more of ``[oms]``.
    """

    oms: HotWaxWorld = field(init=False)
    replica: Engine | None = None
    told: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        folders = [self.server / "hotwax" / kind for kind in ("reset-inventory", "inventory-variance")]
        self.hotwax = StandIn(self.oms.engine, *folders)

    def make_oms(self) -> HotWaxWorld:
        """HotWax's database; the product reads it, HotWax alone writes."""
        assert self.replica is not None
        return HotWaxWorld(self.replica)

    def settings(self, **sftp: object) -> Settings:
        """The settings, with HotWax's replica in place of the embedded OMS."""
        assert self.replica is not None
        usual = super().settings(**sftp).model_dump()
        usual["oms"] = {"kind": "hotwax", **self.told}
        usual["secrets"]["oms_database_url"] = self.replica.url.render_as_string(hide_password=False)
        return Settings.model_validate(usual)

    def hotwax_imports(self, when: Moment) -> list[str]:
        """HotWax reads its folders and works its queue off; the ids of its import logs."""
        moment = at(when)
        self.hotwax.pick_up(moment)
        return self.hotwax.run_queue(moment)

    def deliver(self, day: date = DAY) -> Ran:
        """The day until the reset lies in HotWax's folder."""
        return self.run("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts", day=day)

    def take_back(self, day: date = DAY) -> Ran:
        """From the reset's receipt to the delivered variance."""
        return self.run("reset_import", "unreported_shipments", "variance_file", day=day)

    def confirm(self, day: date = DAY) -> Ran:
        """The variance's receipt, and whether both systems agree."""
        return self.run("variance_import", day=day)

    def whole_day(self, reset_at: Moment, variance_at: Moment) -> Ran:
        """All of it, with HotWax's imports in between."""
        for done in (self.deliver(), self.hotwax_imports(reset_at), self.take_back(), self.hotwax_imports(variance_at)):
            assert not isinstance(done, Ran) or done.failures == {}, done.failures
        return self.confirm()

    def fingerprint(self) -> list[tuple[object, ...]]:
        """A checksum of every table of HotWax's."""
        return self.oms.ask(f"CHECKSUM TABLE {', '.join(sorted(metadata.tables))}")
