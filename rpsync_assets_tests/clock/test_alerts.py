"""People are told once: store, date, what, number, threshold and link; a receiver that is down misses nothing."""

import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dagster._core.test_utils import create_run_for_test

from rpsync_assets.alerts.sensor import UnsentError
from rpsync_assets.clock.progress import STEP
from rpsync_assets.partitions import Slot
from rpsync_assets.settings import Settings
from rpsync_assets_tests.graph.online import Online
from rpsync_assets_tests.graph.tiny_oms import UPCA
from rpsync_assets_tests.graph.tiny_world import DAY, QUIET, Rows, TinyWorld

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
    """A mail server, a webhook, and the sensor that is to reach them.

    Attributes:
        answers: what the webhook answers next, instead of taking the message.
        asked: how often it was.
    """

    world: TinyWorld
    mailbox: Mailbox
    smtp_port: int
    posts: list[dict[str, str]]
    answers: list[int]
    webhook: str
    asked: list[str] = field(default_factory=list)
    cursor: str | None = None
    secrets: dict[str, object] = field(default_factory=dict)

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
        told["secrets"] = {**told["secrets"], "alert_webhook_url": self.webhook, **self.secrets}
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
    asked: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
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
    found = Receivers(world, mailbox, port, posts, answers, f"http://127.0.0.1:{server.server_port}/secret-path", asked)
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


def test_a_message_says_whether_somebody_must_get_up(receivers: Receivers) -> None:
    world = receivers.world
    world.file([("101", UPCA["Z"], 5)])
    world.run()
    receivers.look()
    assert "Nobody tries it again: mend what it names, then materialize by hand." in receivers.mails[0]
    by_itself(world, "raw_file_landing", day=date(2026, 3, 11), tags={STEP: "2026-03-11|US file"})
    receivers.look()
    assert "The store's sensor tries it again, after 5, 10, 20, 40 minutes" in receivers.mails[1]


def by_itself(world: TinyWorld, job: str, *, day: date = DAY, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
    """A run that no person started."""
    return (
        world.defs()
        .resolve_job_def(job)
        .execute_in_process(
            instance=world.instance,
            partition_key=str(Slot(day, "US").key),
            raise_on_error=False,
            run_config=QUIET,
            tags={"dagster/sensor_name": "day_US", **tags},
        )
    )


def test_what_fails_again_and_again_in_the_same_way_is_told_when_it_begins_and_when_it_changes(
    receivers: Receivers,
) -> None:
    """A server that is away all night is not a message for every try of every store."""
    world = receivers.world
    for _ in range(3):
        by_itself(world, "raw_file_landing", tags={STEP: "x"})
        receivers.look()
    assert len(receivers.mails) == len(receivers.posts) == 1
    world.raw_file(b"store_code,upc,alu,description,qty\n101,0756")
    by_itself(world, "raw_file_landing", tags={STEP: "x"})
    receivers.look()
    assert len(receivers.mails) == 2
    assert "does not end with a line end" in receivers.mails[1]


def test_a_failure_that_comes_back_after_a_good_run_is_news_again(receivers: Receivers, counts: Rows) -> None:
    world = receivers.world
    by_itself(world, "raw_file_landing", tags={})
    path = world.file(counts)
    by_itself(world, "raw_file_landing", tags={})
    path.unlink()
    (world.data / "landing").rename(world.data / "gone")
    by_itself(world, "raw_file_landing", tags={})
    receivers.look()
    assert len(receivers.mails) == 2


def test_a_persons_own_click_is_always_answered(receivers: Receivers) -> None:
    for _ in range(2):
        receivers.world.run()
        receivers.look()
    assert len(receivers.mails) == 2


def test_the_days_of_a_backfill_that_fail_alike_are_one_message(receivers: Receivers) -> None:
    for number in (1, 2, 3):
        by_itself(receivers.world, "raw_file_landing", day=date(2026, 3, number), tags={"dagster/backfill": "b"})
    receivers.look()
    assert receivers.subjects == ["[rpsync] US 2026-03-01: raw_reset_file failed"]


def test_a_strangers_exception_is_told_by_its_cause_and_without_our_secrets(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words are not ours: they may quote an address with the password in it, or the token."""
    from rpsync_assets.assets import arriving  # noqa: PLC0415

    def broken(*_: object, **__: object) -> None:
        raise ValueError("the shop refuses tok-123456\n(Background on this error)")

    monkeypatch.setattr(arriving.Intake, "take_in", broken)
    receivers.secrets = {"shopify_tokens": {"US": "tok-123456"}}
    receivers.world.run("raw_reset_file")
    receivers.look()
    assert "raw_reset_file failed: ValueError: the shop refuses ***" in receivers.mails[0]
    assert "Background" not in receivers.mails[0]
    assert "tok-123456" not in receivers.mails[0] + receivers.subjects[0] + receivers.posts[0]["text"]


def test_a_run_whose_process_died_is_told_with_what_dagster_says(receivers: Receivers) -> None:
    run = create_run_for_test(
        receivers.world.instance,
        job_name="reset_day",
        tags={"dagster/partition": KEY},
        status=dg.DagsterRunStatus.STARTED,
    )
    receivers.world.instance.report_run_failed(run, "Exceeded maximum runtime of 7200 seconds.")
    receivers.look()
    assert "the run failed: Exceeded maximum runtime of 7200 seconds." in receivers.mails[0]


def test_a_run_that_dagster_starts_once_more_is_told_when_that_one_fails_too(receivers: Receivers) -> None:
    by_itself(receivers.world, "raw_file_landing", tags={"dagster/will_retry": "true"})
    receivers.look()
    assert receivers.mails == []
    by_itself(receivers.world, "raw_file_landing", tags={})
    receivers.look()
    assert len(receivers.mails) == 1


def test_a_receiver_that_is_away_is_asked_once_a_look_and_does_not_hold_the_other_up(receivers: Receivers) -> None:
    """Each try takes its seconds, and a look has a minute."""
    for _ in range(3):
        receivers.world.run()
    receivers.answers.extend([503] * 9)
    with pytest.raises(UnsentError):
        receivers.look()
    assert (len(receivers.asked), len(receivers.mails)) == (1, 3)
    receivers.answers.clear()
    receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (3, 3)


def test_a_message_that_a_receiver_refuses_does_not_hold_the_next_ones_up(receivers: Receivers) -> None:
    for _ in range(2):
        receivers.world.run()
    receivers.answers.append(400)
    with pytest.raises(UnsentError, match="HTTP 400"):
        receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (2, 1)
    receivers.look()
    assert (len(receivers.mails), len(receivers.posts)) == (2, 2)


@pytest.mark.parametrize("cursor", ["garbage", "2026-01-01", "a b c"])
def test_a_cursor_that_was_typed_over_begins_anew(receivers: Receivers, cursor: str) -> None:
    receivers.cursor = cursor
    receivers.look()
    receivers.world.run()
    receivers.look()
    assert len(receivers.mails) == 1


def test_a_mail_is_dated_and_a_files_name_is_no_command_to_slack(receivers: Receivers) -> None:
    receivers.world.store["file_pattern"] = r"reset_{store}_(?P<snapshot>\d{8}T\d{6})<!channel>\.csv"
    receivers.world.incoming.joinpath("reset_US_20260309T070000<!channel>.csv").write_text("x")
    receivers.world.run()
    receivers.look()
    assert parsedate_to_datetime(receivers.mailbox.messages[0]["Date"])
    assert "reset_US_20260309T070000<!channel>.csv" in receivers.mails[0]
    assert "reset_US_20260309T070000&lt;!channel&gt;.csv" in receivers.posts[0]["text"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mail_server_that_nobody_vouches_for_gets_no_password(
    receivers: Receivers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    certificate, context = self_signed(tmp_path)
    logins: list[str] = []

    def accept(
        _server: object, _session: object, _envelope: object, _mechanism: str, told: LoginPassword
    ) -> AuthResult:
        logins.append(told.login.decode())
        return AuthResult(success=True)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(
        receivers.mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=accept,
        **({"ssl_context": context, "auth_require_tls": False} if security == "tls" else {"tls_context": context}),
    )
    server.start()
    try:
        receivers.world.run()
        told = {"smtp_port": port, "smtp_security": security, "smtp_username": "rpsync"}
        receivers.secrets = {"smtp_password": "a password"}
        with pytest.raises(UnsentError, match=r"The certificate of the mail server 127\.0\.0\.1:\d+ cannot be trusted"):
            receivers.look(**told)
        assert (logins, receivers.mails) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        receivers.look(**told)
        assert (logins, len(receivers.mails)) == (["rpsync"], 1)
    finally:
        server.stop()


def self_signed(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that only those trust who are told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "mail.crt", folder / "mail.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return certificate, context


def test_nobody_is_told_unless_somebody_is_named(world: TinyWorld) -> None:
    assert [one.name for one in world.defs().sensors or ()] == ["day_US"]
