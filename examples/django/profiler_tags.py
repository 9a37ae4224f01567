"""A middleware that says in the profile which route and which view the time of a request goes to.

Copy it, and add it to MIDDLEWARE; the place does not matter. Without the profiler it takes itself
out.
"""

from django.core.exceptions import MiddlewareNotUsed

try:
    import cloudprofiler  # built into a uWSGI that loads the plugin
except ImportError:
    cloudprofiler = None


class ProfilerTags:
    def __init__(self, get_response):
        if cloudprofiler is None:
            raise MiddlewareNotUsed("not under uWSGI with the plugin cloudprofiler")
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, arguments, keywords):
        match = request.resolver_match
        cloudprofiler.set_tag("route", "/" + match.route)
        cloudprofiler.set_tag("view", match.view_name)
