"""Keeps the catalogue up to date: lists sources, remembers how far it came, and has generations built."""
