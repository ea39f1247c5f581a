"""The reports and the explanations in a browser: what ``rpsync ui`` and ``rpsync reports serve`` show.

Belongs here: the pages' addresses, and what each is made of. Does not: what is found (``explain/``), how it looks
(``*.html.j2``), or anything that changes something. Dagster is not imported: a page is there at once.

Only this machine is served, under its own names and that of ``reports_url``: the pages are as private as the files.
Their links are relative, so that they hold behind a proxy, too. A report is a file that stands alone; the bar above it,
which leads to the rest, is put there on its way out.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.explain.explain import explain
from rpsync_assets.explain.lookup import Found, look_up
from rpsync_assets.explain.sources import Sources, opened
from rpsync_assets.report.templates import environment
from rpsync_assets.resources.outbox import Outbox
from rpsync_assets.resources.tables import Tables
from rpsync_assets.settings import Settings

THIS_MACHINE = ("127.0.0.1", "localhost")
_NAME = re.compile(r"[^/\\]+")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Nothing from elsewhere, and no script but the report's own.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
}
_WITH_SCRIPT = {
    **_SAFE,
    "Content-Security-Policy": f"{_SAFE['Content-Security-Policy']}; script-src 'unsafe-inline'",
}


def build_pages(settings: Settings) -> FastAPI:
    """The pages of one installation."""
    pages = _Pages(settings)
    app = FastAPI(title="rpsync reports", docs_url=None, redoc_url=None, openapi_url=None)
    its = [] if settings.reports_url is None else [urlsplit(settings.reports_url).hostname or ""]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*THIS_MACHINE, *its])
    app.get("/")(pages.index)
    app.get("/search")(pages.search)
    app.get("/explain")(pages.story)
    app.get("/reports/{day}/{name}.html")(pages.report)
    app.get("/reports/{day}/{name}.csv")(pages.listing)
    app.get("/rejected/{day}/{store}.csv")(pages.rejected)
    app.add_exception_handler(HTTPException, pages.problem)
    app.add_exception_handler(RequestValidationError, pages.problem)
    return app


class _Pages:
    """Each public method is a page; its parameters are what stands in the address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._templates = environment()
        self._templates.globals["address"] = _address

    def index(self) -> Response:
        """All reports, newest first."""
        files = (self._settings.data_dir / "reports").glob("*/*.html")
        return self._page("index", {"reports": sorted(((file.parent.name, file.stem) for file in files), reverse=True)})

    def search(
        self, store: str = "", day: Annotated[str, Query(alias="date")] = "", q: str = "", facility: str = ""
    ) -> Response:
        """Any product of a store and day, by what a person knows of it; if that is one key, its story."""
        chosen = self._known(store)
        its_day = _day(day) if day else self._newest(chosen)
        question, only = q.strip(), facility.strip()
        found = Found([])
        if its_day is not None:
            with self._reading(chosen, its_day) as sources:
                found = look_up(sources, question, only)
        keys = [key for product in found.products for key in product.keys]
        if only and len(keys) == len(found.products) == 1:
            key = keys[0]
            story = _address("explain", store=chosen, date=its_day, facility=key.facility, upc=key.upc)
            return RedirectResponse(story, 303, _SAFE)
        told = {"found": found, "question": question, "facility": only}
        return self._page("search", {**told, **self._choices(chosen, its_day, found.facilities)})

    def story(self, store: str, day: Annotated[str, Query(alias="date")], facility: str, upc: str) -> Response:
        """The whole life of one number, as ``rpsync explain`` tells it."""
        chosen, its_day = self._known(store), _day(day)
        with self._reading(chosen, its_day) as sources:
            trace = explain(sources, facility, upc)
        told = {"trace": trace, "has_report": self._report(its_day, chosen).is_file()}
        return self._page("story", {**told, **self._choices(chosen, its_day)})

    def report(self, day: date, name: str) -> Response:
        """One report, below a bar that leads to the search and to the other reports."""
        file = self._report(day, name)
        if not _NAME.fullmatch(name) or not file.is_file():
            raise HTTPException(404, f"There is no report {day}/{name}: materialize daily_sync_report of that day.")
        bar = self._templates.get_template("bar.html.j2").render(store=name, day=day)
        return HTMLResponse(file.read_text("utf-8").replace("<body>", f"<body>{bar}", 1), headers=_WITH_SCRIPT)

    def listing(self, day: date, name: str) -> Response:
        """A complete list that lies beside a report."""
        file = self._report(day, name).with_suffix(".csv")
        if not _NAME.fullmatch(name) or not file.is_file():
            raise HTTPException(404, f"There is no list {day}/{name}: materialize daily_sync_report of that day.")
        return FileResponse(file, media_type="text/csv", filename=file.name, headers=_SAFE)

    def rejected(self, day: date, store: str) -> Response:
        """The spreadsheet of a day's rejected rows."""
        name = f"rejected_{self._known(store)}_{day:%Y%m%d}.csv"
        file = Outbox(self._settings.data_dir / "rejected").path(day, store, name)
        if not file.is_file():
            raise HTTPException(
                404, f"There is no list of rejected rows for {store} on {day}: the day has not been filtered."
            )
        return FileResponse(file, media_type="text/csv", filename=name, headers=_SAFE)

    def problem(self, _request: Request, error: Exception) -> Response:
        """What cannot be shown, in a sentence, and where to go from here."""
        incomplete = "This address is not complete: an explanation needs a store, a date, a facility and a UPC."
        code, found = (error.status_code, error.detail) if isinstance(error, HTTPException) else (422, incomplete)
        return self._page("problem", {"found": found, **self._choices(None, None)}, code)

    def _page(self, page: str, told: Mapping[str, object], status: int = 200) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(f"{page}.html.j2").render(told), status, _SAFE)

    def _choices(
        self, store: str | None, day: date | None, facilities: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        """What the form offers."""
        return {"stores": list(self._settings.stores), "store": store, "day": day, "facilities": facilities or {}}

    def _known(self, store: str) -> str:
        """A store of the settings; the first if none is asked for. Nothing else ever becomes part of a path."""
        stores = list(self._settings.stores)
        if store and store not in stores:
            raise HTTPException(404, f"There is no product store '{store}'. There are: {', '.join(stores)}.")
        return store or stores[0]

    def _newest(self, store: str) -> date | None:
        """The newest day of which anything is stored."""
        return max(Tables(self._settings.data_dir / "tables").dates(store), default=None)

    def _report(self, day: date, store: str) -> Path:
        return self._settings.data_dir / "reports" / day.isoformat() / f"{store}.html"

    @contextmanager
    def _reading(self, store: str, day: date) -> Iterator[Sources]:
        try:
            with opened(self._settings, store, day) as sources:
                yield sources
        except RpsyncError as error:
            raise HTTPException(404, str(error)) from error


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date, no moment
    except ValueError:
        raise HTTPException(422, f"'{text}' is not a date such as 2026-03-10.") from None


def _address(page: str, **asked: object) -> str:
    """A page and what it is asked, as a link takes it."""
    return f"{page}?{urlencode({name: str(value) for name, value in asked.items()})}"
