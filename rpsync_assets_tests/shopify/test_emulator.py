"""The emulator says what Shopify says: its schema is a part of Shopify's, its runtime rules are domain.md's."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import build_client_schema, parse, validate
from graphql.type import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema

from rpsync_assets.doctor import shopify as doctor
from rpsync_assets.resources import shopify, shopify_orders
from rpsync_assets.resources.shopify_api import VERSION
from rpsync_assets.sandbox.emulator import server
from rpsync_assets.sandbox.emulator.customers import Customers
from rpsync_assets.sandbox.emulator.server import Endpoint
from rpsync_assets.sandbox.emulator.shop import Shop

REAL = Path(__file__).parents[3] / "shared" / "shopify" / f"admin_{VERSION}.json.gz"
DOCUMENTS = {
    "counts": shopify.COUNTS,
    "counts of some": shopify.COUNTS_OF,
    "set": shopify.SET,
    "adjust": shopify.ADJUST,
    **shopify_orders.DOCUMENTS,
    "app": doctor.APP,
    "locations": doctor.LOCATIONS,
}
ROW = {"inventoryItemId": "gid://shopify/InventoryItem/1000", "locationId": "gid://shopify/Location/700"}


@pytest.fixture(scope="module")
def real() -> GraphQLSchema:
    """Shopify's own schema, where it lies beside the checkout."""
    if not REAL.exists():
        pytest.skip(f"{REAL.name} does not lie beside this checkout: Shopify's own schema cannot be compared with")
    return build_client_schema(json.loads(gzip.decompress(REAL.read_bytes()))["data"])


def test_what_the_emulator_knows_is_what_shopify_knows(real: GraphQLSchema) -> None:
    """Types, fields, arguments, inputs and enum values, each of the same type."""
    for name, ours in server.schema().type_map.items():
        if name.startswith("__"):
            continue
        theirs = real.type_map[{"Query": "QueryRoot"}.get(name, name)]
        if isinstance(ours, GraphQLObjectType):
            assert isinstance(theirs, GraphQLObjectType)
            for field_name, field in ours.fields.items():
                same = theirs.fields[field_name]
                assert str(field.type) == str(same.type), f"{name}.{field_name}"
                for argument_name, argument in field.args.items():
                    assert str(argument.type) == str(same.args[argument_name].type), f"{name}.{field_name}"
        elif isinstance(ours, GraphQLInputObjectType):
            assert isinstance(theirs, GraphQLInputObjectType)
            assert {n: str(f.type) for n, f in ours.fields.items()}.items() <= {
                n: str(f.type) for n, f in theirs.fields.items()
            }.items()
        elif isinstance(ours, GraphQLEnumType):
            assert isinstance(theirs, GraphQLEnumType)
            assert ours.values.keys() <= theirs.values.keys(), name


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_what_we_ask_is_valid_at_shopify(real: GraphQLSchema, document: str) -> None:
    assert validate(real, parse(document)) == []


def ask(endpoint: Endpoint, rows: list[dict[str, Any]], key: str | None = "k", **more: object) -> dict[str, Any]:
    """A set, as somebody might send it by hand."""
    document = (
        shopify.SET
        if key is not None
        else shopify.SET.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
    )
    given = {"name": "available", "reason": "correction", "quantities": rows, **more}
    response = httpx2.post(
        f"{endpoint.url}/admin/api/{VERSION}/graphql.json",
        json={"query": document, "variables": {"input": given, **({"key": key} if key is not None else {})}},
        headers={"X-Shopify-Access-Token": endpoint.token},
    )
    assert response.status_code == 200
    assert response.headers["X-Shopify-API-Version"] == VERSION
    return response.json()


def top_code(answer: dict[str, Any]) -> str:
    return answer["errors"][0]["extensions"]["code"]


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["code"] for error in answer["data"]["inventorySetQuantities"]["userErrors"]]


def row(quantity: int = 7, count: int | None = 5, **more: str) -> dict[str, Any]:
    return {**ROW, "quantity": quantity, "changeFromQuantity": count, **more}


def test_a_call_needs_its_key_and_every_row_its_count(endpoint: Endpoint, shop: Shop) -> None:
    assert top_code(ask(endpoint, [row()], key=None)) == "BAD_REQUEST"
    assert top_code(ask(endpoint, [row()], key=" ")) == "BAD_REQUEST"
    assert top_code(ask(endpoint, [{**ROW, "quantity": 7}])) == "INVALID_FIELD_ARGUMENTS"
    assert shop.log == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ shop {", "Syntax Error"),
        ("{ shop { colour } }", "Cannot query field"),
        (
            '{ location(id: "gid://shopify/Location/700") { inventoryLevels(first: 251) { nodes { id } } } }',
            "exceed 250",
        ),
    ],
)
def test_what_cannot_be_asked_is_an_error_of_the_answer(endpoint: Endpoint, query: str, said: str) -> None:
    address, known = f"{endpoint.url}/admin/api/{VERSION}/graphql.json", {"X-Shopify-Access-Token": endpoint.token}
    answer = httpx2.post(address, json={"query": query}, headers=known)
    assert answer.status_code == 200
    assert said in answer.json()["errors"][0]["message"]


def test_251_rows_are_too_many(endpoint: Endpoint) -> None:
    assert top_code(ask(endpoint, [row()] * 251)) == "MAX_INPUT_SIZE_EXCEEDED"


@pytest.mark.parametrize(
    ("rows", "more", "found"),
    [
        ([row(count=4)], {}, ["CHANGE_FROM_QUANTITY_STALE"]),
        ([row(), row()], {}, ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"] * 2),
        ([row(locationId="gid://shopify/Location/1")], {}, ["INVALID_LOCATION"]),
        ([row(inventoryItemId="gid://shopify/InventoryItem/1")], {}, ["INVALID_INVENTORY_ITEM"]),
        ([row(quantity=-1)], {}, ["INVALID_QUANTITY_NEGATIVE"]),
        ([row(quantity=10**9 + 1)], {}, ["INVALID_QUANTITY_TOO_HIGH"]),
        ([row()], {"reason": "because"}, ["INVALID_REASON"]),
        ([row()], {"name": "incoming"}, ["INVALID_NAME"]),
        ([row()], {"referenceDocumentUri": "run 1"}, ["INVALID_REFERENCE_DOCUMENT"]),
        ([row(count=None)], {}, []),
    ],
)
def test_a_bad_row_fails_the_call(
    endpoint: Endpoint, rows: list[dict[str, Any]], more: dict[str, str], found: list[str]
) -> None:
    assert codes(ask(endpoint, rows, **more)) == found


def test_a_key_is_remembered_with_its_answer_and_its_input(endpoint: Endpoint, shop: Shop) -> None:
    assert codes(ask(endpoint, [row()])) == []
    assert codes(ask(endpoint, [row()])) == []
    assert codes(ask(endpoint, [row(quantity=8)])) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert codes(ask(endpoint, [row(count=1)], key="bad")) == ["CHANGE_FROM_QUANTITY_STALE"]
    shop.stock([("1000", "700", 1)])
    assert codes(ask(endpoint, [row(count=1)], key="bad")) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert len(shop.log) == 1


def test_customers_buy_what_is_there_and_give_some_of_it_back(shop: Shop) -> None:
    """Every count is what it was, less what orders took, and back what was restocked."""
    customers = Customers(shop)
    for _ in range(400):
        customers.do_something()
    took = Counter[str]()
    for one in shop.log:
        took[one.item] -= one.delta
    assert {operation.operation for operation in shop.log} == {"order", "restock"}
    assert all(count == 5 - took[item] >= 0 for (item, _), count in shop.counts().items())
    everything = shop.orders("1 = 1", 1000)
    assert any(order.cancelled_at for order in everything)
    held = Counter[str]()
    for order in everything:
        for item, units in order.lines.items():
            held[item] += units
        for item, units, restocked in order.refunds:
            held[item] -= units * restocked
    assert +held == +took
