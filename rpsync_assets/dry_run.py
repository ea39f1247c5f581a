"""``rpsync dry-run``: run the job ``dry_run_day`` of one store and show the differences.

Belongs here: launching it and the screen. Does not: the numbers (``assets/preview``).
"""

import dagster as dg

from rpsync_assets.core.errors import PermanentError
from rpsync_assets.definitions import build_defs
from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def dry_run(settings: Settings, slot: Slot, instance: dg.DagsterInstance) -> dict[str, object]:
    """What ``reset_preview`` says of a store and day, by the names that the UI shows.

    Raises:
        PermanentError: the dry run was stopped; says where and why.
    """
    done = (
        build_defs(settings)
        .resolve_job_def("dry_run_day")
        .execute_in_process(instance=instance, partition_key=str(slot.key), run_config=QUIET, raise_on_error=False)
    )
    for event in done.get_step_failure_events():
        data = event.step_failure_data.user_failure_data
        said = data.description if data is not None and data.description else "see the run in the UI"
        raise PermanentError(f"The dry run was stopped at {event.step_key}: {said}", f"The run is {done.run_id}")
    (materialization,) = done.asset_materializations_for_node("reset_preview")
    shown = {name: value.value for name, value in materialization.metadata.items() if not name.startswith("dagster/")}
    return {"run_id": done.run_id, **{name: value for name, value in shown.items() if name != "preview"}}


def as_text(said: dict[str, object]) -> str:
    """For a terminal: numbers first, tables below."""
    tables = {name: value for name, value in said.items() if "\n" in str(value)}
    lines = [f"{name:>28}  {value}" for name, value in said.items() if name not in tables]
    return "\n".join([*lines, *(f"\n{name}\n{value}" for name, value in tables.items())])
