"""A small Django site in one file: pages that cost differently, tagged by route and view."""

import hashlib

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["profiler_tags.ProfilerTags"],
    ROOT_URLCONF=__name__,
    # Nothing is signed here; a real site keeps its key out of its sources.
    SECRET_KEY="an example",
)
django.setup()


def digest(text, rounds):
    value = text.encode()
    for _ in range(rounds):
        value = hashlib.sha256(value).digest()
    return value.hex()


def home(request):
    return HttpResponse("\n".join(digest(str(number), 50) for number in range(40)))


def product(request, number):
    return JsonResponse({"product": number, "checksum": digest(str(number), 6000)})


def health(request):
    return HttpResponse("ok\n")


shop = [path("products/<int:number>/", product, name="product")]

urlpatterns = [
    path("", home, name="home"),
    path("shop/", include((shop, "shop"))),
    path("health", health),
]

application = get_wsgi_application()
