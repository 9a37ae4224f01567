"""A Django app that starts Google's own agent when Django is ready, as many do."""

import googlecloudprofiler
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        try:
            googlecloudprofiler.start(service="hello-django", service_version="2.0")
        except (ValueError, NotImplementedError) as error:
            print(f"no profiles: {error}")
