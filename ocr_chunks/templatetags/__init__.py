"""What the templates of documents use."""
