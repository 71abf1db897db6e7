"""One race a file: `race(side, course, settings)` appends its rows to the course."""
