"""What can be had: sources, search, details."""
