"""What the nodes of one installation have in common."""
