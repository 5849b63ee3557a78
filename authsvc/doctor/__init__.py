"""What may be wrong with an installation, looked at without changing anything, each with what to do next."""
