"""`python -m bortlab.training.corpus`."""

from bortlab.training.corpus.build import main

if __name__ == "__main__":
    main()
