"""The course's own transport read independently: segments, the oracle, scripted peers, scenarios."""
