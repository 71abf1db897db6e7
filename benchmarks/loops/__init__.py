"""What one would write by hand: no plugin, no check, no count, for one framework, one norm and images in [0, 1]."""
