"""What a plugin of each kind promises: one file per kind, and one each for backends and models."""
