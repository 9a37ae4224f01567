"""A certificate authority for the TLS servers of tests. Its keys are made when they are needed, and
are not kept.

SPDX-License-Identifier: MIT
"""

import datetime
import ipaddress
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)

_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """Its certificate stands in `file`."""

    def __init__(self, directory, name="authority"):
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        unsigned = self._unsigned(name, self._key.public_key(), -3, 3, is_authority=True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(_pem(self._sign(unsigned.add_extension(_SIGNS_CERTIFICATES, True))))

    def _unsigned(self, subject, public_key, first_day, last_day, is_authority=False):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self._name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first_day * DAY)
            .not_valid_after(now + last_day * DAY)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            # Without these CPython 3.13 and later take a certificate for invalid.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
        )

    def _sign(self, unsigned):
        return unsigned.sign(self._key, hashes.SHA256())

    def server_context(self, *names, first_day=-3, last_day=3, protocols=("http/1.1",)):
        """For a server of these names and addresses, whose certificate is good from the first to
        the last day, counted from today."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = self._unsigned(names[0], key.public_key(), first_day, last_day)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        certificate = self._sign(unsigned.add_extension(alternatives, False))
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ) + _pem(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:  # ssl reads keys from nowhere else
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name)
        context.set_alpn_protocols(list(protocols))
        return context
