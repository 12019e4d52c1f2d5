"""The machine and its files: memory and cores, cache folders, whole writes, links refused, where assets lie."""
