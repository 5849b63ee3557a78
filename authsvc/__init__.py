"""Tidegate: accounts, roles and policy in front of the stock Docker registry."""

from gc import set_threshold

__version__ = "0.1.0"

# What is loaded stays loaded: looking through it for garbage again and again is a tenth of the time of a start.
set_threshold(50_000, 20, 20)
