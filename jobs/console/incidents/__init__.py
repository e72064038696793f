"""Pages of incidents: the list, the page of one incident, and the confirmation of acts on them."""
