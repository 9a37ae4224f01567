"""The module that apps which were written for Google's own agent import under uWSGI with the plugin
cloudprofiler (docs/coming-from-googlecloudprofiler.md).

An editor or a type checker finds this file as it finds cloudprofiler.pyi.
"""

from os import PathLike

__version__: str

def start(
    service: str | None = None,
    service_version: str | None = None,
    project_id: str | None = None,
    service_account_json_file: str | PathLike[str] | None = None,
    verbose: int | None = 0,
    disable_cpu_profiling: bool | None = False,
    disable_wall_profiling: bool | None = False,
    period_ms: int | None = 10,
    discovery_service_url: str | None = None,
) -> None:
    """Gives the plugin what its options leave open, while the app is loaded in the master.

    Raises ValueError if a value is not accepted. Starts nothing by itself: the plugin profiles each
    worker.
    """
