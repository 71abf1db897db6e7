"""Frameworks as armour sees them: the same file names in each."""
