"""One file per heading of the rules; the name of a test is the sentence of its rule."""
