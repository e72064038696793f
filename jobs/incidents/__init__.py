"""Incidents: causes that need a person, opened and closed with the changes that make and end them."""
