"""The twenty product stores of the sandbox, and how a command line chooses among them.

Belongs here: ids, names and time zones. Does not: facilities and products (``master_data``).

The order is part of the contract: "2" means the first two, which lie as far apart as a business day allows.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rpsync_assets.core.errors import SetupError


@dataclass(frozen=True)
class SandboxStore:
    """A product store: its id in the OMS, its name and its IANA time zone."""

    store_id: str
    name: str
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone, loaded."""
        return ZoneInfo(self.time_zone)


ROSTER: tuple[SandboxStore, ...] = (
    SandboxStore("US", "United States", "America/New_York"),
    SandboxStore("AU", "Australia", "Australia/Sydney"),
    SandboxStore("SV", "El Salvador", "America/El_Salvador"),
    SandboxStore("NI", "Nicaragua", "America/Managua"),
    SandboxStore("HN", "Honduras", "America/Tegucigalpa"),
    SandboxStore("GT", "Guatemala", "America/Guatemala"),
    SandboxStore("CR", "Costa Rica", "America/Costa_Rica"),
    SandboxStore("GB", "United Kingdom", "Europe/London"),
    SandboxStore("DE", "Germany", "Europe/Berlin"),
    SandboxStore("JP", "Japan", "Asia/Tokyo"),
    SandboxStore("CA", "Canada", "America/Toronto"),
    SandboxStore("MX", "Mexico", "America/Mexico_City"),
    SandboxStore("PA", "Panama", "America/Panama"),
    SandboxStore("CO", "Colombia", "America/Bogota"),
    SandboxStore("BR", "Brazil", "America/Sao_Paulo"),
    SandboxStore("ES", "Spain", "Europe/Madrid"),
    SandboxStore("FR", "France", "Europe/Paris"),
    SandboxStore("IN", "India", "Asia/Kolkata"),
    SandboxStore("SG", "Singapore", "Asia/Singapore"),
    SandboxStore("NZ", "New Zealand", "Pacific/Auckland"),
)


def choose(spec: str) -> list[SandboxStore]:
    """The stores that a command line names.

    Args:
        spec: a count (``"5"``: the first five) or ids (``"US,SV"``), in the order wanted.

    Returns:
        The stores, each once.

    Raises:
        SetupError: a count out of range, or an id that is not on the roster.
    """
    words = [word.strip().upper() for word in spec.split(",") if word.strip()]
    if len(words) == 1 and words[0].isdecimal():
        count = int(words[0])
        if not 1 <= count <= len(ROSTER):
            raise SetupError(f"{count} sandbox stores asked for", f"Ask for 1 to {len(ROSTER)}")
        return list(ROSTER[:count])
    known = {store.store_id: store for store in ROSTER}
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise SetupError(
            f"Sandbox store '{', '.join(unknown) or spec}' is not known",
            f"Name a count or some of {', '.join(known)}",
        )
    return [known[word] for word in dict.fromkeys(words)]


def position(store: SandboxStore) -> int:
    """A number of the store that never changes; ids of other systems are made of it.

    Raises:
        SetupError: the store is not on the roster.
    """
    try:
        return ROSTER.index(store)
    except ValueError:
        raise SetupError(f"Store '{store.store_id}' is not on the sandbox's roster", "Take it from choose()") from None
