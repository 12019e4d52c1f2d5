"""`python -m bortlab.data.corpus`."""

from bortlab.data.corpus.build import main

if __name__ == "__main__":
    main()
