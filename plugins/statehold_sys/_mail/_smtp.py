from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import attrs

from statehold_sys._mail._config import SendMailConfig
from statehold_sys._mail._message import Mail
from statehold_sys._network import AddressPolicy, Deadline


class MailRefusedError(Exception):
    """The mail was not sent, or not to everybody, for a reason other than the protocol's."""


@attrs.frozen(eq=False, kw_only=True)
class Sender:
    """Sends mails by SMTP: each on a connection of its own, within one deadline."""

    _policy: AddressPolicy
    _config: SendMailConfig

    def send(self, mail: Mail) -> None:
        """Send *mail*.

        Raises:
            MailRefusedError: somebody does not get it, or it cannot be sent as safely as is asked for.
            smtplib.SMTPException, OSError: the server or the way to it failed.
            StorageError: the server's address is not permitted.

        """
        deadline = Deadline(self._config.TimeoutMilliseconds / 1000)
        peer = self._connect(mail, deadline)
        try:
            with peer, _closing_at(deadline, peer), _Smtp(peer, mail.host, self._tls()) as smtp:
                smtp.begin(mail.port, implicit=self._config.Tls == "implicit")
                self._secure(smtp)
                self._log_in(smtp, mail)
                refused = smtp.send_message(mail.message, mail.sender, list(mail.recipients))
        except (smtplib.SMTPException, OSError) as error:
            deadline.left()
            if isinstance(error, smtplib.SMTPRecipientsRefused):
                refused = error.recipients
            else:
                raise
        if refused:
            raise MailRefusedError("; ".join(f"{who} was refused: {_why(refused[who])}" for who in refused))

    def _connect(self, mail: Mail, deadline: Deadline) -> socket.socket:
        failure: OSError | None = None
        for address in self._policy.addresses(mail.host, mail.port, deadline):
            try:
                return socket.create_connection((address, mail.port), deadline.left())
            except OSError as error:
                failure = error
        raise failure or OSError(f"no address for {mail.host!r}")

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._config.CaFile)

    def _secure(self, smtp: _Smtp) -> None:
        smtp.ehlo_or_helo_if_needed()
        if self._config.Tls in ("never", "implicit"):
            return
        if smtp.has_extn("starttls"):
            smtp.upgrade()
        elif self._config.Tls == "required":
            raise MailRefusedError("the server does not offer STARTTLS, and Tls is 'required'")

    def _log_in(self, smtp: _Smtp, mail: Mail) -> None:
        if not mail.username:
            return
        if not smtp.is_safe and self._config.Tls != "never":
            raise MailRefusedError("the server offers no TLS: the password is not sent in the open")
        smtp.login(mail.username, mail.password)


class _Smtp(smtplib.SMTP):
    """The protocol on a connection that was made, and checked, by somebody else."""

    def __init__(self, peer: socket.socket, host: str, tls: ssl.SSLContext) -> None:
        # A name of our own, because the default one asks the DNS and may wait for it.
        super().__init__(local_hostname=socket.gethostname(), timeout=peer.gettimeout() or 1.0)
        self._peer, self._name, self._context = peer, host, tls
        self.is_safe = ip_address(peer.getpeername()[0]).is_loopback

    def begin(self, port: int, *, implicit: bool) -> None:
        """Speak TLS if that comes first, and hear the server's greeting."""
        if implicit:
            self._peer = self._context.wrap_socket(self._peer, server_hostname=self._name)
            self.is_safe = True
        code, answer = self.connect(self._name, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)

    def upgrade(self) -> None:
        """Go on in TLS, checked against the host's name."""
        # Set by `connect()`, and what STARTTLS checks the certificate against.
        self._host = self._name
        self.starttls(context=self._context)
        self.ehlo_or_helo_if_needed()
        self.is_safe = True

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        return self._peer

    def close(self) -> None:
        """Close the connection, also one that was never greeted."""
        super().close()
        self._peer.close()


@contextmanager
def _closing_at(deadline: Deadline, peer: socket.socket) -> Iterator[None]:
    """Cut the connection at the deadline: SMTP waits for every line anew."""
    left = deadline.left()
    watched = peer.dup()

    def cut() -> None:
        with suppress(OSError):  # it is closed already
            watched.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(left, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        watched.close()


def _why(answer: tuple[int, bytes]) -> str:
    code, text = answer
    return f"{code} {text.decode(errors='replace')}"
