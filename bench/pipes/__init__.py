"""TLS pipes to compare with, and how pairs of them are started."""
