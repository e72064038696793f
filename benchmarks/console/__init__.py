"""A large site to look at the console with: 18,930 jobs in every state, and a story for each kind of page."""
