"""Certificates for TLS servers of tests, made when they are needed.

SPDX-License-Identifier: MIT
"""

import datetime
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority of its own, whose certificate stands in `file`."""

    def __init__(self, directory, name="authority"):
        self._directory = directory
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificates = 0
        unsigned = self._unsigned(_name(name), self._key, -1, 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = directory / f"{name}.pem"
        self._write(self.file, self._sign(unsigned))

    def _unsigned(self, subject, key, first_day, last_day):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first_day * DAY)
            .not_valid_after(now + last_day * DAY)
        )

    def _sign(self, unsigned):
        return unsigned.sign(self._key, hashes.SHA256())

    @staticmethod
    def _write(file, certificate, key=None):
        data = certificate.public_bytes(serialization.Encoding.PEM)
        if key:
            data += key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        file.write_bytes(data)

    def server_context(self, *names, first_day=-1, last_day=30, protocols=("http/1.1",)):
        """For a server of these names, whose certificate is good from the first to the last day,
        counted from today."""
        self._certificates += 1
        file = self._directory / f"{self._name}-{self._certificates}.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = self._unsigned(_name(names[0]), key, first_day, last_day).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        self._write(file, self._sign(unsigned), key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_alpn_protocols(list(protocols))
        return context
