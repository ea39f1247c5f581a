"""Explain's own small parts; whole explanations are tested on days of the graph (``graph/test_explain*``)."""
