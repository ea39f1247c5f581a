"""Tests of the graph: whole days through a real Dagster instance, a real SFTP server and a real database."""
