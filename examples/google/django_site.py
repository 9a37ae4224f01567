"""A Django site in one file, with the app `shop` beside it."""

import hashlib

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["shop.apps.ShopConfig"],
    ROOT_URLCONF=__name__,
    # Nothing is signed here; a real site keeps its key out of its sources.
    SECRET_KEY="an example",
)


def home(request):
    value = b"hello"
    for _ in range(20000):
        value = hashlib.sha256(value).digest()
    return HttpResponse(value.hex())


urlpatterns = [path("", home)]

application = get_wsgi_application()
