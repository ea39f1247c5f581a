"""The one writer of the API: a thread with a connection of its own, which does what requests ask for in their order.

Belongs here: transactions of the API's writes. Does not: what is written (``oms/point_of_sale``), HTTP (``oms/api``).

SQLite has one writer at a time, and what costs is the commit, which waits for the disk. So the requests that came while
the last commit ran share the next one, each in a savepoint of its own: one that is refused or breaks takes nothing of
the others along, and nobody is told of anything before the commit that holds it.

Measured, a sale is some twenty statements: 0.2 ms for the driver, 0.5 ms through SQLAlchemy, which prepares for every
kind of database. So work gets a connection that hands its statements to the driver as they are.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger(__name__)

AT_ONCE = 64
"""Requests that share a commit: what comes in within some 50 ms, so that an import's batch need not wait longer."""

Result = TypeVar("Result")


class Writer:
    """Does pieces of work, each in the order it came and all of it or nothing; begins with the first one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(writes=True)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Connection], Result]) -> "Future[Result]":
        """Have work done; its future is settled only after the commit, or with whatever kept it from one."""
        job = _Job(work)
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rpsync-writer", daemon=True)
                self._thread.start()
            self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Finish what was asked for and let go of the database."""
        with self._beginning:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._jobs.put(None)
                thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        going_on = True
        while going_on:
            jobs: list[_Job] = []
            going_on = self._take(jobs)
            if not jobs:
                continue
            try:
                if connection is None:
                    connection = self._engine.connect()
                self._do(connection, jobs)
            except Exception as error:  # noqa: BLE001  whatever it was, those who wait are told
                # Who came while we waited in vain for the database need not wait for as long again.
                going_on = self._take(jobs, wait=False) and going_on
                for job in jobs:
                    job.failed(error)
                connection = _let_go(connection)
        _let_go(connection)

    def _take(self, jobs: "list[_Job]", *, wait: bool = True) -> bool:
        """Collect what is asked for, at least one job if we wait; false when we are to end."""
        while len(jobs) < AT_ONCE or not wait:
            try:
                job = self._jobs.get(block=wait and not jobs)
            except queue.Empty:
                return True
            if job is None:
                return False
            jobs.append(job)
        return True

    @staticmethod
    def _do(connection: Connection, jobs: "list[_Job]") -> None:
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        with connection.begin():
            for job in jobs:
                job.do(driver)
        for job in jobs:
            job.settle()


class _Job:
    """A piece of work on its way, and what came of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.future: Future[Any] = Future()
        self._work = work
        self._result: Any = None
        self._error: Exception | None = None

    def do(self, driver: sqlite3.Connection) -> None:
        """Do it, within a savepoint."""
        driver.execute("SAVEPOINT REQUEST")
        try:
            self._result = self._work(cast("Connection", _Direct(driver)))
        except Exception as error:  # noqa: BLE001  it is the caller's to handle
            driver.execute("ROLLBACK TO REQUEST")
            self._error = error
        driver.execute("RELEASE REQUEST")

    def settle(self) -> None:
        """What was done is in the database: say so."""
        if not self.future.set_running_or_notify_cancel():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)

    def failed(self, error: Exception) -> None:
        """Nothing of it is in the database; nor is what it was judged by, if that came in with it."""
        self._error = error
        if not self.future.done():
            self.settle()


class _Direct:
    """What our SQL needs of a SQLAlchemy connection, without SQLAlchemy."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def exec_driver_sql(self, statement: str, parameters: Any = ()) -> "_Answer":
        return _Answer(self._driver.execute(statement, parameters))


class _Answer:
    """The same of a SQLAlchemy result."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def first(self) -> Any:
        return self._cursor.fetchone()

    def one(self) -> Any:
        (row,) = self._cursor.fetchall()
        return row

    def scalar(self) -> Any:
        row = self._cursor.fetchone()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        return self.one()[0]


def _let_go(connection: Connection | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except SQLAlchemyError:
            _log.exception("The writer's connection could not be closed")
