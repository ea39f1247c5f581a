"""Shopify's Admin GraphQL API over HTTP: one request, its cost, and when to ask again.

Belongs here: the version, the bucket, retries, and turning what goes wrong into our errors. Does not: which questions
are asked (``resources/shopify``). The token is sent and never shown.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from rpsync_assets.core.errors import PermanentError, SetupError, UnreachableError

_log = logging.getLogger(__name__)

VERSION = "2026-10"
"""The API version that the queries here are written for (domain.md 5.2); stated nowhere else."""

ATTEMPTS = 6
MOST_THROTTLED = 100
LONGEST_PAUSE_SECONDS = 30.0
TIMEOUT_SECONDS = 60.0


class _ThrottledError(Exception):
    """Shopify's bucket was empty."""


class TooDearError(PermanentError):
    """A question costs more than Shopify allows at once; a smaller page may pass."""


@dataclass
class Bucket:
    """What is left of Shopify's leaky bucket, as its last answer said, and what has dripped in since.

    Attributes:
        clock: seconds that only go forward.
        sleep: waits so many seconds.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    waited_seconds: float = 0.0
    throttled: int = 0
    _available: float | None = None
    _maximum: float = 0.0
    _restore: float = 1.0
    _at: float = 0.0

    def wait(self, seconds: float) -> None:
        """Wait so long."""
        self.waited_seconds += seconds
        self.sleep(seconds)

    def wait_for(self, cost: float) -> None:
        """Wait until a request of this cost fits; at once if no answer has said yet how much there is."""
        if self._available is None:
            return
        there = min(self._maximum, self._available + (self.clock() - self._at) * self._restore)
        if there < cost:
            self.wait((min(cost, self._maximum) - there) / self._restore)

    def heard(self, status: Mapping[str, float]) -> None:
        """Take in ``extensions.cost.throttleStatus``."""
        self._available = float(status["currentlyAvailable"])
        self._maximum = float(status["maximumAvailable"])
        self._restore = max(float(status["restoreRate"]), 0.001)
        self._at = self.clock()


@dataclass
class ShopifyApi:
    """One shop.

    Attributes:
        store: the product store, for messages.
        url: ``https://<shop>.myshopify.com``.
        token: the app's access token.
        attempts: how often a request is made before the shop is taken to be away.
        timeout_seconds: how long an answer may take.
    """

    store: str
    url: str
    token: str = field(repr=False)
    bucket: Bucket = field(default_factory=Bucket)
    attempts: int = ATTEMPTS
    timeout_seconds: float = TIMEOUT_SECONDS
    calls: int = 0
    _costs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"X-Shopify-Access-Token": self.token},
            timeout=httpx2.Timeout(self.timeout_seconds, connect=15),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def ask(self, document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        """The ``data`` of an answer; the same request again until it is given, which idempotency keys make safe.

        Raises:
            SetupError: the token, the shop or the scopes are wrong.
            UnreachableError: no answer after several attempts.
            PermanentError: Shopify refuses the request itself.
        """
        trouble, attempt, throttled = "", 0, 0
        while attempt < self.attempts and throttled < MOST_THROTTLED:
            if attempt:
                self.bucket.sleep(pause(attempt))
            attempt += 1
            # What the same request cost before is what it needs now.
            self.bucket.wait_for(self._costs.get(document, 0.0))
            if throttled > 1:
                # The bucket said that there was enough: somebody else is faster than we are.
                self.bucket.wait(pause(min(throttled, ATTEMPTS)))
            try:
                response = self._client.post(
                    f"/admin/api/{VERSION}/graphql.json", json={"query": document, "variables": dict(variables)}
                )
            except httpx2.TransportError as error:
                trouble = f"{type(error).__name__}"
                _log.warning("Shopify (%s) did not answer: %s", self.store, trouble)
                continue
            self.calls += 1
            self._refuse_setup(response)
            if response.status_code >= 500 or response.status_code == 429:
                trouble = f"HTTP {response.status_code}"
                _log.warning("Shopify (%s) answered %s", self.store, trouble)
                continue
            try:
                return self._read(document, response)
            except _ThrottledError:
                # The bucket has said how long to wait, and it is no trouble.
                trouble, attempt, throttled = "throttled", attempt - 1, throttled + 1
        raise UnreachableError(
            f"Shopify does not answer for {self.store} ({trouble}, {attempt or throttled} attempts)",
            "Look at Shopify's status page; a rerun goes on where this one stopped",
        )

    def _read(self, document: str, response: httpx2.Response) -> Mapping[str, Any]:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise UnreachableError(f"Shopify's answer for {self.store} is none (HTTP {response.status_code})", "Rerun")
        cost = (body.get("extensions") or {}).get("cost") or {}
        if status := cost.get("throttleStatus"):
            self.bucket.heard(status)
        if requested := cost.get("requestedQueryCost"):
            self._costs[document] = float(requested)
        errors = body.get("errors")
        if not errors:
            if not body.get("data"):
                raise UnreachableError(f"Shopify's answer for {self.store} is empty", "Rerun")
            return body["data"]
        first: Mapping[str, Any] = errors[0] if isinstance(errors, list) else {"message": str(errors)}
        code = (first.get("extensions") or {}).get("code")
        if code == "THROTTLED":
            self.bucket.throttled += 1
            raise _ThrottledError
        raise self._refused(code, str(first.get("message", ""))[:300])

    def _refused(self, code: str | None, message: str) -> Exception:
        """What an error at the top of an answer means."""
        if code in {"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"}:
            return UnreachableError(f"Shopify broke on a request of {self.store}", "Rerun")
        if code == "MAX_COST_EXCEEDED":
            return TooDearError(
                f"Shopify finds a question of {self.store} too dear: {message}",
                "This is a defect of ours: report it",
            )
        if code == "ACCESS_DENIED":
            return SetupError(
                f"Shopify refuses {self.store}: {message}",
                "Give the app the scopes read_inventory, write_inventory, read_locations and read_orders",
            )
        return PermanentError(
            f"Shopify refuses a request of {self.store}: {message} ({code})",
            f"This is a defect of ours, or API version {VERSION} is retired: report it",
        )

    def _refuse_setup(self, response: httpx2.Response) -> None:
        if response.status_code in {401, 403}:
            raise SetupError(
                f"Shopify refuses the token of {self.store} (HTTP {response.status_code})",
                f"Set RPSYNC_SHOPIFY_TOKEN_{self.store} to the app's Admin API access token of that shop",
            )
        if response.status_code in {402, 404, 423} or response.is_redirect:
            raise SetupError(
                f"Shopify has no open shop at {self.url} for {self.store} (HTTP {response.status_code})",
                f"Correct url in [stores.{self.store}.shopify]",
            )


def gid(kind: str, number: str) -> str:
    """Shopify's global id of one of its numbers."""
    return f"gid://shopify/{kind}/{number}"


def number_of(global_id: str) -> str:
    """The number of a global id."""
    return global_id.rsplit("/", 1)[-1]


def pause(attempt: int) -> float:
    """Seconds before the next attempt: longer each time, and not the same for everybody."""
    return min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  not for secrets
