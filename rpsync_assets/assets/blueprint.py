"""How an asset of ours is written: a plain function, and beside it what Dagster needs to know.

Belongs here: the decorator, owners, and the one place where our errors become Dagster failures. Does not: assets.

The stores come from the settings, so partitions are known only when the graph is assembled. Therefore a module of
assets holds blueprints, and ``definitions.build_defs`` builds them with the partitions of its settings.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from rpsync_assets.assets.verdicts import GuardRefusedError, check_result
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.failures import fail_or_retry
from rpsync_assets.partitions import Partitions
from rpsync_assets.resources.databases import told_plainly
from rpsync_assets.settings import RetrySettings

OWNER = "team:inventory-sync"

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

    def build(self, partitions: Partitions, retries: RetrySettings) -> dg.AssetsDefinition:
        """The Dagster asset."""
        definition: dg.PartitionsDefinition[str] = getattr(partitions, self.per)
        name = self.function.__name__
        return dg.asset(
            name=name,
            description=inspect.cleandoc(self.function.__doc__ or ""),
            group_name=self.group,
            kinds=set(self.kinds),
            owners=[OWNER],
            partitions_def=definition,
            deps=list(self.deps),
            check_specs=[
                dg.AssetCheckSpec(check, asset=name, description=description, partitions_def=definition)
                for check, description in self.checks.items()
            ],
        )(_reporting(self.function, retries))


def asset(
    *,
    group: str,
    kinds: set[str],
    checks: Mapping[str, str] | None = None,
    per: Literal["day_x_store", "store"] = "day_x_store",
    deps: tuple[str, ...] = (),
) -> Callable[[AssetFunction], Blueprint]:
    """Mark a function as an asset; its docstring is what the analyst reads in the UI.

    Args:
        group: the lane in the lineage.
        kinds: the badges on the node.
        checks: name and meaning of each asset check that the function reports.
        per: which partitions it has.
        deps: assets it comes after without loading them.
    """
    return lambda function: Blueprint(function, group, frozenset(kinds), checks or {}, per, deps)


def _reporting(function: AssetFunction, retries: RetrySettings) -> Callable[..., Iterator[Any]]:
    """Run the function; show refused guards as red checks; turn our errors into failures that name culprit and mend."""

    @functools.wraps(function)
    def run(context: dg.AssetExecutionContext, *args: object, **kwargs: object) -> Iterator[Any]:
        try:
            with told_plainly("The state database"):
                result = function(context, *args, **kwargs)
        except GuardRefusedError as refused:
            for verdict in refused.verdicts:
                yield check_result(verdict)
            fail_or_retry(context, refused, retries)
        except RpsyncError as error:
            fail_or_retry(context, error, retries)
        yield result

    # Dagster reads the signature; with check specs a return annotation would mean one more output.
    signature = inspect.signature(function).replace(return_annotation=inspect.Signature.empty)
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: kind for name, kind in function.__annotations__.items() if name != "return"}
    return run
