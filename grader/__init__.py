"""The judge: what a submission is worth, and why. Private: it never travels with the starters."""
