"""The reports and the explanations in a browser, beside the Dagster UI: what ``rpsync ui`` serves on this machine.

Belongs here: three pages. Does not: what is on them, or anything that changes something.

Only this machine is served, and only under its own names: the pages are as private as the files.
"""

import re
from datetime import date
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment
from starlette.middleware.trustedhost import TrustedHostMiddleware

from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.sources import opened
from rpsync_assets.settings import Settings

_PAGE = Environment(autoescape=True).from_string("""\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 960px; margin: 24px auto; padding: 0 20px; }
pre { white-space: pre-wrap; font: 13px/1.55 ui-monospace, Menlo, Consolas, monospace; }
</style></head><body><h1>{{ title }}</h1>
{% if text %}<pre>{{ text }}</pre>{% endif %}
{% for path, name in links %}<p><a href="{{ path }}">{{ name }}</a></p>{% endfor %}
</body></html>
""")
_FILE = re.compile(r"[^/\\]+\.(html|csv)")


def build_pages(settings: Settings) -> FastAPI:
    """The pages of one installation."""
    app = FastAPI(title="rpsync reports", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    reports = settings.data_dir / "reports"

    @app.get("/")
    def index() -> HTMLResponse:
        """All reports, newest first."""
        files = sorted(reports.glob("*/*.html"), reverse=True)
        links = [(f"/reports/{file.parent.name}/{file.name}", f"{file.parent.name} · {file.stem}") for file in files]
        return HTMLResponse(_PAGE.render(title="Daily sync reports", text="" if links else "None yet.", links=links))

    @app.get("/reports/{day}/{name}")
    def report(day: date, name: str) -> FileResponse:
        """One report, or a list that lies beside it."""
        file: Path = reports / day.isoformat() / name
        if not _FILE.fullmatch(name) or not file.is_file():
            raise HTTPException(404, f"There is no report {day}/{name}: materialize daily_sync_report")
        return FileResponse(file, media_type="text/csv" if name.endswith(".csv") else "text/html")

    @app.get("/explain")
    def explanation(store: str, date: date, facility: str, upc: str) -> HTMLResponse:
        """The whole life of one number."""
        try:
            with opened(settings, store, date) as sources:
                trace = explain(sources, facility, upc)
        except RpsyncError as error:
            raise HTTPException(404, str(error)) from error
        links = [(f"/reports/{date}/{store}.html", "The day's report")]
        return HTMLResponse(_PAGE.render(title=trace.heading, text=trace.as_text().partition("\n")[2], links=links))

    return app
