"""When things run: gates, deadlines, retries, alerts, and whole weeks under a clock that a test moves."""
