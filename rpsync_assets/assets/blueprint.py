"""How an asset of ours is written: a plain function, and beside it what Dagster needs to know.

Belongs here: the decorator, owners, and the one place where our errors become Dagster failures. Does not: assets.

The stores come from the settings, so partitions are known only when the graph is assembled. Therefore a module of
assets holds blueprints, and ``definitions.build_defs`` builds them with the partitions of its settings.
"""

import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from rpsync_assets import links
from rpsync_assets.assets import stops
from rpsync_assets.assets.metadata import columns_of, shape_of
from rpsync_assets.assets.verdicts import GuardRefusedError, check_result, of_partition
from rpsync_assets.check_groups import group_of
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.failures import fail_or_retry
from rpsync_assets.partitions import Partitions, Slot
from rpsync_assets.resources.databases import told_plainly
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import RetrySettings, Settings

OWNER = "team:inventory-sync"
SEARCH = "look up any SKU"
"""The metadata entry that leads from an asset to the story of any of its numbers."""

AssetFunction = Callable[..., dg.MaterializeResult[Any]]


@dataclass(frozen=True)
class Blueprint:
    """An asset that only lacks its partitions."""

    function: AssetFunction
    group: str
    kinds: frozenset[str]
    checks: Mapping[str, str]
    per: Literal["day_x_store", "store"]
    deps: tuple[str, ...]
    last: bool = False

    @property
    def name(self) -> str:
        """The asset's name, which is its table's too."""
        return self.function.__name__

    @property
    def meaning(self) -> str:
        """What the analyst reads about it: the first paragraph, in one line."""
        return " ".join(inspect.cleandoc(self.function.__doc__ or "").split("\n\n")[0].split())

    def build(self, partitions: Partitions, settings: Settings) -> dg.AssetsDefinition:
        """The Dagster asset."""
        definition: dg.PartitionsDefinition[str] = getattr(partitions, self.per)
        return dg.asset(
            name=self.name,
            description=inspect.cleandoc(self.function.__doc__ or "") + _pages(settings),
            group_name=self.group,
            kinds=set(self.kinds),
            owners=[OWNER],
            partitions_def=definition,
            deps=list(self.deps),
            metadata={**columns_of(self.name), **_search(settings)},
            op_tags={"dagster/priority": "-1"} if self.last else None,
            check_specs=[
                dg.AssetCheckSpec(
                    check,
                    asset=self.name,
                    description=f"{group_of(check)}. {description}",
                    partitions_def=definition,
                    metadata={"group": group_of(check)},
                )
                for check, description in self.checks.items()
            ],
        )(_reporting(self.function, settings.retries))


def asset(
    *,
    group: str,
    kinds: set[str],
    checks: Mapping[str, str] | None = None,
    per: Literal["day_x_store", "store"] = "day_x_store",
    deps: tuple[str, ...] = (),
    last: bool = False,
) -> Callable[[AssetFunction], Blueprint]:
    """Mark a function as an asset; its docstring is what the analyst reads in the UI.

    Args:
        group: the lane in the lineage.
        kinds: the badges on the node.
        checks: name and meaning of each asset check that the function reports.
        per: which partitions it has.
        deps: assets it comes after without loading them.
        last: whatever else can be done goes first, checks included.
    """
    return lambda function: Blueprint(function, group, frozenset(kinds), checks or {}, per, deps, last)


def _reporting(function: AssetFunction, retries: RetrySettings) -> Callable[..., Iterator[Any]]:
    """Run the function; show refused guards as red checks; turn our errors into failures that name culprit and mend."""
    # Dagster hands in what the signature asks for; what stops an asset is written down for each of them, and each says
    # where its numbers are explained.
    parameters = dict(inspect.signature(function).parameters)
    ours = {
        name: inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
        for name, annotation in (("tables", dg.ResourceParam[Tables]), ("settings", dg.ResourceParam[Settings]))
    }

    @functools.wraps(function)
    def run(context: dg.AssetExecutionContext, tables: Tables, settings: Settings, **kwargs: object) -> Iterator[Any]:
        place = tables, str(context.partition_key), function.__name__
        given = {"tables": tables, "settings": settings}
        more = {**kwargs, **{name: given[name] for name in ours if name in parameters}}
        began = time.monotonic()
        try:
            with told_plainly("The state database"):
                result = function(context, **more)
        except GuardRefusedError as refused:
            stops.stopped_by_guards(*place, refused.verdicts, context.run.run_id)
            for verdict in refused.verdicts:
                yield of_partition(check_result(verdict), str(context.partition_key))
            fail_or_retry(context, refused, retries)
        except RpsyncError as error:
            stops.stopped_by_error(*place, error, context.run.run_id)
            fail_or_retry(context, error, retries)
        stops.went_on(*place)
        metadata = {
            **(result.metadata or {}),
            **_search(settings, str(context.partition_key)),
            **shape_of(function.__name__, result.value),
            "seconds": round(time.monotonic() - began, 3),
        }
        checks = [of_partition(one, str(context.partition_key)) for one in result.check_results or ()]
        yield result._replace(metadata=metadata, check_results=checks)

    # With check specs a return annotation would mean one more output.
    signature = inspect.Signature([*({**parameters, **ours}.values())])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return run


def _pages(settings: Settings) -> str:
    """A last paragraph for whoever reads what an asset is: where its numbers are explained, if anybody serves that."""
    reports, search = links.index(settings), links.search(settings)
    return "" if reports is None else f"\n\n[Look up any SKU]({search}) · [daily reports]({reports})"


def _search(settings: Settings, partition: str | None = None) -> dict[str, dg.UrlMetadataValue]:
    """The search page, on the partition's store and day if there is one; a partition without a day is a store."""
    if partition is None:
        url = links.search(settings)
    elif "|" in partition:
        slot = Slot.parse(partition)
        url = links.search(settings, slot.day, slot.store)
    else:
        url = links.search(settings, store=partition)
    return {} if url is None else {SEARCH: dg.MetadataValue.url(url)}
