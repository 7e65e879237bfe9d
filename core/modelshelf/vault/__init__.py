"""Secrets: a type that does not leak, and the place where they are kept encrypted."""

from modelshelf.vault.secret import Secret

__all__ = ["Secret"]
