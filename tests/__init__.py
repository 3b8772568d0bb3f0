"""Tests of this project, mirroring the tree."""
