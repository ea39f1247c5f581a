"""Proofs that need large files; those that take long run by ``make proof`` only."""
