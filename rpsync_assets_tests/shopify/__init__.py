"""Tests of the door to Shopify and of the emulator that it is tried against."""
