"""All of them."""

from rpsync_assets_tests.corpus import cuts, encodings, headers, quantities, shapes, upcs

CASES = [*encodings.CASES, *shapes.CASES, *headers.CASES, *quantities.CASES, *upcs.CASES, *cuts.CASES]
