"""Build the text that the bundled models learned from.

By itself it builds the bundled corpus anew, from WordNet 3.0 and the World English Bible. That needs Debian's packages
wordnet-base, sword-text-web and diatheke; the same packages give the same bytes.

With --everyday it builds the everyday corpus, 20 million words of children's stories, novels, textbooks and modern
text, from 171 public repositories at fixed commits. It downloads their archives (textbooks come with their pictures:
gigabytes), keeps the text alone, and goes on where it stopped. The result is a folder for `bortlab minis KEY --corpus`.
Its licences ask for attribution: manifest.json in the folder names every repository, and each document its authors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bortlab.data.everyday import SOURCES

EXAMPLES = """\
  bortlab corpus --out /tmp/corpus
  bortlab corpus --everyday --out texts/
  bortlab corpus --everyday --only stories modern --out texts/
      without the novels and the textbooks, which are five sixths of it\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the sources lie, and where the corpus goes."""
    from bortlab.data.corpus import ASSETS
    from bortlab.data.corpus.bible import BIBLE
    from bortlab.data.corpus.wordnet import WORDNET
    from bortlab.data.everyday.archives import GITHUB

    parser.add_argument("--out", type=Path, help=f"folder to write (default: {ASSETS}; needed for --everyday)")
    parser.add_argument(
        "--wordnet", type=Path, default=WORDNET, help="folder of WordNet 3.0's data.* files (default: %(default)s)"
    )
    parser.add_argument(
        "--bible", default=BIBLE, help="SWORD module of the Bible, as diatheke names it (default: %(default)s)"
    )
    parser.add_argument("--everyday", action="store_true", help="build the everyday corpus from public repositories")
    parser.add_argument("--only", nargs="+", choices=SOURCES, default=SOURCES, help="kinds of everyday text")
    parser.add_argument(
        "--origin",
        default=GITHUB,
        help="a mirror that serves OWNER/NAME/tar.gz/COMMIT, or a folder that holds OWNER/NAME (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> None:
    """Build it, and print its size and checksums."""
    import json

    if options.everyday:
        build_everyday(options)
        return
    from bortlab.data.corpus import ASSETS
    from bortlab.data.corpus.build import write_corpus

    manifest = write_corpus(options.out or ASSETS, options.wordnet, options.bible)
    print(json.dumps({"sources": manifest["sources"], "files": manifest["files"]}, indent=2))


def build_everyday(options: argparse.Namespace) -> None:
    """Build the everyday corpus, and print its words and documents by kind."""
    import sys

    from bortlab.data.everyday import repositories
    from bortlab.data.everyday.build import build

    if options.out is None:
        raise ValueError("Name the folder that the everyday corpus is written to: --out FOLDER.")
    chosen = [repository for repository in repositories() if repository.source in options.only]
    manifest = build(options.out, chosen, options.origin, lambda message: print(message, file=sys.stderr, flush=True))
    for name, words in manifest["words"].items():
        print(f"{name:16} {words:>12,} words {manifest['documents'][name]:>7,} documents")
    print(options.out)
