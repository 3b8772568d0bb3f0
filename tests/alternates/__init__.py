"""Honest solutions that look like nobody expects, by assignment. Rule: each of them gets full marks."""
