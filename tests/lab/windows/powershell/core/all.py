"""Imports every module that registers cmdlets of the language itself."""
