"""The algorithms armour brings: one package per kind, one file per algorithm, file name = registry name."""
