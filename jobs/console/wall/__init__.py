"""The wall: the overview or a saved view, large and without acts, and its links."""
