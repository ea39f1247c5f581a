"""The tiny world of the graph's tests, for one store; whole weeks bring their own."""

from rpsync_assets_tests.graph.conftest import counts, example, online, world

__all__ = ["counts", "example", "online", "world"]
