"""Tests of the embedded OMS on a real SQLite file."""
