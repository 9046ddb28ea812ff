"""The project as a WSGI application, with its static files."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")


class AllStaticFiles(StaticFilesHandler):
    """Static files without DEBUG, which StaticFilesHandler leaves to others."""

    def serve(self, request):
        from django.contrib.staticfiles.views import serve

        return serve(request, self.file_path(request.path), insecure=True)


application = AllStaticFiles(get_wsgi_application())
