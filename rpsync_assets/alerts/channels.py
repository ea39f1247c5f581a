"""Where messages go: e-mail, and a webhook as Slack understands it.

Belongs here: sending one message. Does not: what is worth one (``findings``), once (``sensor``).
"""

import smtplib
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from html import escape
from typing import Literal

import httpx2
from pydantic import SecretStr

from rpsync_assets.alerts.findings import Alert
from rpsync_assets.core.errors import SetupError, UnreachableError
from rpsync_assets.settings import Settings

PATIENCE_SECONDS = 15


class Channel(ABC):
    """A way to reach people; ``name`` is what is remembered of what went through it."""

    name: str

    @abstractmethod
    def send(self, alert: Alert) -> None:
        """Send one message.

        Raises:
            UnreachableError: it was not taken; later it may be.
            SetupError: it was refused, and will be again.
        """


@dataclass(frozen=True)
class Email(Channel):
    """SMTP: one message to everybody."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    to: tuple[str, ...]
    username: str = ""
    password: SecretStr | None = None
    name: str = field(default="e-mail", init=False)

    def send(self, alert: Alert) -> None:
        """Hand the message to the mail server; its id is the event's, so that a mailbox can tell a repeat."""
        message = EmailMessage()
        message["Subject"] = alert.subject
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{alert.event.replace(' ', '-')}@rpsync>"
        message.set_content(alert.text)
        with self._session() as server:
            server.send_message(message)

    def log_in(self) -> None:
        """Whether the mail server takes us; nothing is sent."""
        with self._session() as server:
            server.noop()

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        # Without a context Python's library would hand the password to whoever answers.
        trust = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE_SECONDS, context=trust)
                if self.security == "tls"
                else smtplib.SMTP(self.host, self.port, timeout=PATIENCE_SECONDS)
            ) as server:
                if self.security == "starttls":
                    server.starttls(context=trust)
                if self.username:
                    server.login(self.username, self.password.get_secret_value() if self.password else "")
                yield server
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
            raise SetupError(
                f"The mail server {self.host}:{self.port} refuses the login or its kind",
                "Correct [alerts] smtp_username, smtp_security or RPSYNC_SMTP_PASSWORD",
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise SetupError(
                f"The certificate of the mail server {self.host}:{self.port} cannot be trusted: {error.verify_message}",
                "Set [alerts] smtp_host to the name in its certificate, name the certificate's issuer in SSL_CERT_FILE,"
                ' or, on this machine itself, smtp_security = "none"',
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise UnreachableError(
                f"The mail server {self.host}:{self.port} does not take the message ({type(error).__name__})",
                "It is tried again at the next look",
            ) from error


@dataclass(frozen=True)
class Webhook(Channel):
    """A POST of ``{"text": ...}``, as Slack, Mattermost and Teams' workflows take it; its address is a secret."""

    url: SecretStr
    name: str = field(default="webhook", init=False)

    def send(self, alert: Alert) -> None:
        """Post the message."""
        try:
            answer = httpx2.post(
                self.url.get_secret_value(),
                # As Slack wants it: a file's name must not become a link or call the whole channel.
                json={"text": escape(f"*{alert.subject}*\n{alert.text}", quote=False)},
                timeout=PATIENCE_SECONDS,
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # Not the error's own words: they name the address.
            raise UnreachableError(
                f"The webhook does not answer ({type(error).__name__})", "It is tried again at the next look"
            ) from None
        if answer.is_success:
            return
        said = f"The webhook answers HTTP {answer.status_code}"
        if answer.status_code in {400, 401, 403, 404, 405, 410}:
            raise SetupError(said, "Correct RPSYNC_ALERT_WEBHOOK_URL; the message is sent once that is done")
        raise UnreachableError(said, "It is tried again at the next look")


def channels(settings: Settings) -> list[Channel]:
    """The channels that are configured; none is the default."""
    told, secrets = settings.alerts, settings.secrets
    found: list[Channel] = []
    if told.email_to:
        found.append(
            Email(
                told.smtp_host,
                told.smtp_port,
                told.smtp_security,
                told.email_from or told.email_to[0],
                tuple(told.email_to),
                told.smtp_username,
                secrets.smtp_password,
            )
        )
    if secrets.alert_webhook_url is not None:
        found.append(Webhook(secrets.alert_webhook_url))
    return found
