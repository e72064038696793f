"""Access: every route and method for every role, and the borders of projects."""
