"""What commands draw on a terminal and how they find things."""
