"""A server whose profiles go to a stand-in of Cloud Profiler.

SPDX-License-Identifier: MIT
"""

PROJECT = "lab-project"
SERVICE = "shop"


def upload_options(standin, directory, **more):
    """The options of a Uwsgi that uploads to `standin` with a service account's key, which is
    written to `directory`."""
    options = {
        "cloudprofiler_disable_upload": None,
        "cloudprofiler_service": SERVICE,
        "cloudprofiler_project_id": PROJECT,
        "cloudprofiler_api_endpoint": standin.endpoint,
        "cloudprofiler_ca_file": standin.ca_file,
        "cloudprofiler_credentials": standin.keys.service_account(directory / "key.json"),
        "cloudprofiler_disable_metadata": "true",
        "cloudprofiler_initial_backoff": 1,
    }
    return options | more


LOCAL_OFF = {
    "cloudprofiler_output_dir": None,
    "cloudprofiler_output_interval": None,
    "cloudprofiler_output_duration": None,
}
