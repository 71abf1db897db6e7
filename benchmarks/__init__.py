"""armour beside hand-written loops, Foolbox, ART and torchattacks: one command, one table. `python -m benchmarks`."""
