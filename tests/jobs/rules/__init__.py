"""Tests of the rules: one file per heading; the name of a test is the sentence of its rule."""
