"""Build the bundled corpus anew from WordNet 3.0 and the World English Bible.

Needs Debian's packages wordnet-base, sword-text-web and diatheke. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab corpus --out /tmp/corpus\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the sources lie, and where the corpus goes."""
    from bortlab.data.corpus import ASSETS
    from bortlab.data.corpus.bible import BIBLE
    from bortlab.data.corpus.wordnet import WORDNET

    parser.add_argument("--out", type=Path, default=ASSETS, help="folder to write (default: %(default)s)")
    parser.add_argument(
        "--wordnet", type=Path, default=WORDNET, help="folder of WordNet 3.0's data.* files (default: %(default)s)"
    )
    parser.add_argument(
        "--bible", default=BIBLE, help="SWORD module of the Bible, as diatheke names it (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    """Build it, and print its size and checksums."""
    import json

    from bortlab.data.corpus.build import write_corpus

    manifest = write_corpus(options.out, options.wordnet, options.bible)
    print(json.dumps({"sources": manifest["sources"], "files": manifest["files"]}, indent=2))
