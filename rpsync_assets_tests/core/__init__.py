"""Tests of the quiet room: rules held against examples written by hand and against oracles that share no code."""
