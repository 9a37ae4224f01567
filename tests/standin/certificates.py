"""A certificate authority for one test run: its keys are made here and never leave the directory.

SPDX-License-Identifier: MIT
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The real names as well: a client that asks a proxy for them is led here.
NAMES = (
    "localhost",
    "cloudprofiler.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "www.googleapis.com",
)
KINDS = ("right", "other name", "expired", "unknown CA")
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


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    def __init__(self, name="Stand-in CA"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = self._sign(self._name, self._key.public_key(), authority=True)

    def _sign(self, subject, public_key, *, authority=False, names=(), expired=False):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(now - DAY if expired else now + 3 * DAY)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            # Without these CPython 3.13 and later take a certificate for invalid.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
        )
        if authority:
            builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        if names:
            alternatives = [x509.DNSName(name) for name in names]
            if "localhost" in names:
                alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        return builder.sign(self._key, hashes.SHA256())

    def write_certificate(self, path):
        path.write_bytes(_pem(self.certificate))
        return path

    def write_server(self, path, names=NAMES, expired=False):
        """A server's key and certificate, in one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(names[0]), key.public_key(), names=names, expired=expired)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + _pem(certificate)
        )
        return path


def make(directory, kind):
    """Writes ca.pem and server.pem, of one of KINDS, into a directory; returns both paths."""
    assert kind in KINDS, kind
    authority = Authority()
    signer = Authority("Another CA") if kind == "unknown CA" else authority
    names = ("other.example",) if kind == "other name" else NAMES
    ca_file = authority.write_certificate(directory / "ca.pem")
    server_file = directory / "server.pem"
    return ca_file, signer.write_server(server_file, names, expired=kind == "expired")
