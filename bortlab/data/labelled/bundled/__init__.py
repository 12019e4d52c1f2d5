"""The bundled tasks, made from the bundled corpus: the same rows every time, split by hash of the group."""
