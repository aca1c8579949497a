"""Definitions that are not tables: databases, principals, keys."""
