"""What became of a batch: figures for a terminal, files for programs and people, and a page to look at."""
