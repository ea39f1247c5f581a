"""People are told once: store, date, what, number, threshold and link; a receiver that is down misses nothing."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import dagster as dg
import pytest
from aiosmtpd.controller import Controller

from rpsync_assets.alerts.sensor import UnsentError
from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, Rows, TinyWorld

KEY = str(Slot(DAY, "US").key)


@dataclass
class Mailbox:
    """What aiosmtpd calls for each message."""

    messages: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content))  # type: ignore[attr-defined]
        return "250 OK"


@dataclass
class Receivers:
    """A mail server, a webhook, and the sensor that is to reach them."""

    world: TinyWorld
    mailbox: Mailbox
    smtp_port: int
    posts: list[dict[str, str]]
    answers: list[int]
    webhook: str
    cursor: str | None = None

    def settings(self, **more: object) -> Settings:
        told = self.world.settings().model_dump()
        told["alerts"] = {
            "email_to": ["ops@example.com", "owner@example.com"],
            "smtp_host": "127.0.0.1",
            "smtp_port": self.smtp_port,
            "smtp_security": "none",
            "ui_url": "https://dagster.example.com/",
            **more,
        }
        told["secrets"]["alert_webhook_url"] = self.webhook
        return Settings.model_validate(told)

    def look(self, **more: object) -> None:
        """A tick of the sensor; its cursor is kept only if it went well, as Dagster does."""
        defs = self.world.defs(self.settings(**more))
        context = dg.build_sensor_context(instance=self.world.instance, cursor=self.cursor)
        self.cursor = defs.resolve_sensor_def("alerts").evaluate_tick(context).cursor

    @property
    def mails(self) -> list[str]:
        return [str(mail.get_payload(decode=True), "utf-8").replace("\r\n", "\n") for mail in self.mailbox.messages]  # type: ignore[arg-type]

    @property
    def subjects(self) -> list[str]:
        return [re.sub(r"\s+", " ", str(mail["Subject"])) for mail in self.mailbox.messages]


@pytest.fixture
def receivers(world: TinyWorld) -> Iterator[Receivers]:
    posts: list[dict[str, str]] = []
    answers: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 200
            if status == 200:
                posts.append(json.loads(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mail = Controller(mailbox, hostname="127.0.0.1", port=port)
    mail.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    found = Receivers(world, mailbox, port, posts, answers, f"http://127.0.0.1:{server.server_port}/secret-path")
    found.look()
    yield found
    server.shutdown()
    server.server_close()
    mail.stop()


def test_a_failed_run_is_told_with_store_date_what_and_link(receivers: Receivers) -> None:
    ran = receivers.world.run()
    receivers.look()
    assert receivers.subjects == ["[rpsync] US 2026-03-10: raw_reset_file failed"]
    (text,) = receivers.mails
    assert "Store: US" in text
    assert "Business date: 2026-03-10" in text
    assert "Run: reset_day, failed" in text
    assert "No reset file of US for 2026-03-10 in" in text
    assert f"https://dagster.example.com/runs/{ran.run_id}" in text
    assert receivers.mailbox.messages[0]["To"] == "ops@example.com, owner@example.com"
    assert [text.strip() in post["text"].strip() for post in receivers.posts] == [True]


def test_a_held_guard_is_one_message_with_number_and_threshold(receivers: Receivers) -> None:
    receivers.world.file([("101", UPCA["Z"], 5)])
    receivers.world.run()
    receivers.look()
    assert receivers.subjects == ["[rpsync] US 2026-03-10: filtered_reset_parts failed and 1 more"]
    assert "(observed 0, needed" in receivers.mails[0]
    assert len(receivers.mails) == len(receivers.posts) == 1


def test_nothing_is_told_twice_and_a_good_day_not_at_all(
    receivers: Receivers, example: TinyWorld, counts: Rows
) -> None:
    example.run()
    for _ in range(3):
        receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (1, 1)
    receivers.cursor = "2026-01-01T00:00:00+00:00 2026-01-01T00:00:00+00:00"  # a cursor of long ago
    receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (1, 1)
    example.file(counts)
    assert example.run().failures == {}
    receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (1, 1)


def test_what_happened_before_the_sensor_was_there_is_nobodys_news(receivers: Receivers) -> None:
    receivers.cursor = None
    receivers.world.run()
    receivers.look()
    receivers.look()
    assert receivers.mails == []


def test_a_receiver_that_is_down_gets_its_message_later_and_the_other_only_once(receivers: Receivers) -> None:
    receivers.world.run()
    receivers.answers.extend([503, 500])
    for _ in range(2):
        with pytest.raises(UnsentError, match=r"The webhook answers HTTP 50\d"):
            receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (1, 0)
    receivers.world.run()
    receivers.look()
    receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (2, 2)


def test_a_mail_server_that_is_away_is_named_and_no_address_of_a_webhook_is(receivers: Receivers) -> None:
    receivers.world.run()
    receivers.webhook = "http://127.0.0.1:9/secret-path"
    with pytest.raises(UnsentError) as error:
        receivers.look(smtp_port=9)
    assert "The mail server 127.0.0.1:9 does not take the message" in str(error.value)
    assert "The webhook does not answer" in str(error.value)
    assert "secret-path" not in str(error.value)


def test_rows_that_failed_at_the_oms_are_told_though_the_day_went_on(
    receivers: Receivers, example: TinyWorld, counts: Rows
) -> None:
    """One in six is more than usual, and this store's operator said that it may be."""
    example.store["max_failed_share"] = 0.5
    example.file(counts)
    assert example.run("raw_reset_file", "active_products", "filtered_reset", "filtered_reset_parts").failures == {}
    example.oms.do("UPDATE GOOD_IDENTIFICATION SET THRU_DATE = '2026-01-01' WHERE PRODUCT_ID = 'C'")
    assert example.run("reset_import").failures == {}
    receivers.look()
    assert receivers.subjects == ["[rpsync] US 2026-03-10: 2 of 6 rows failed at the OMS"]
    assert "(observed 2, needed 0)" in receivers.mails[0]


def test_drift_at_shopify_is_told_though_the_run_went_through(
    receivers: Receivers, online: Online, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpsync_assets.core import publication_guards  # noqa: PLC0415

    real = publication_guards.shopify_matches
    monkeypatch.setattr(publication_guards, "shopify_matches", lambda _drift, **more: real(3, **{**more, "units": 7}))
    assert online.full().failures == {}
    receivers.look()
    assert receivers.subjects[0].endswith("shopify_matches of shopify_full_reset is red")
    assert "observed 3" in receivers.mails[0]


def test_nobody_is_told_unless_somebody_is_named(world: TinyWorld) -> None:
    assert [one.name for one in world.defs().sensors or ()] == ["day_US"]
