"""Tests of the doors, against real servers, real databases and real files."""
