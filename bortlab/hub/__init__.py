"""Published checkpoints of the Hugging Face hub: what a download would bring, the download, and what is here already.

`plan` asks the hub one question and answers with names, sizes and licence, so that a person can say yes or no;
`download` gets exactly that into the cache that all Hugging Face libraries share; `cached` finds it there again without
a network. Every byte is checked against what the plan promised before it gets its name in the cache, so a file there is
whole or absent, whatever ends the program. What goes wrong is a `HubError` that says what to do.

Of huggingface_hub this uses the HTTP client (with a site's proxies and certificates), the locks and the layout of the
cache. Its downloader is not used: it cannot be stopped while a server hangs, and it checks sizes, not contents. Its
`HfApi` is not used either: before its first question it fetches a list of programs from the hub to name its caller.
"""

from bortlab.hub.cache import cached
from bortlab.hub.downloading import RETRIES, download, sweep
from bortlab.hub.errors import CancelledError, HubError, RepositoryNameError
from bortlab.hub.names import check_names, endpoint
from bortlab.hub.planning import SPARE_BYTES, DownloadPlan, plan
from bortlab.system.settings import hub_cache_folder as cache_folder

__all__ = [
    "RETRIES",
    "SPARE_BYTES",
    "CancelledError",
    "DownloadPlan",
    "HubError",
    "RepositoryNameError",
    "cache_folder",
    "cached",
    "check_names",
    "download",
    "endpoint",
    "plan",
    "sweep",
]
