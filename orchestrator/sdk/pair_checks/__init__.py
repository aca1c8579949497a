"""Checks that hold for any pair of servers, whatever runs on them: lists of them, of which each plugin takes those that it needs."""
