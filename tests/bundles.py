# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of bundles that people bring: our verdict and istiod's, for unit tests and for istiod's own loader.

Whatever istiod refuses is refused by us. Where we refuse what istiod loads, ``STRICTER`` says why.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Made, make, sha1_signed

__all__ = ["STRICTER", "Case", "bundle", "certificate_cases", "file_cases", "table"]

_CURVE_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
_PROXIES = "proxies refuse every workload certificate below it"
_NO_CHAIN = "workloads would get no chain"

# What istiod's loader takes and we don't, and why.
STRICTER = {
    "not-a-ca": _PROXIES,
    "no-constraints": _PROXIES,
    "key-usage": _PROXIES,
    "path-length": _PROXIES,
    "rsa-1024": _PROXIES,
    "issuer-key": _PROXIES,
    "server-only": "proxies are TLS clients too",
    "p521": "Istio names P-256 and P-384 as its curves",
    "ed25519": "Istio signs with ECDSA and RSA only",
    "outlives": "what it signs after its root's end is worth nothing",
    "wrong-order": "istiod hands the chain out as it is, and TLS wants the signer first",
    "several-keys": "which one is meant can't be told",
    "key-in-chain": "every workload would get the key",
    "ten-megabytes": "no secret can hold it",
    "chain-not-pem": _NO_CHAIN,
    "chain-empty": _NO_CHAIN,
}


@dataclass(frozen=True)
class Case:
    """A bundle, and a part of what we find wrong with it (None: nothing)."""

    name: str
    files: dict[str, bytes] = field(repr=False)
    problem: str | None = None

    @property
    def loads(self) -> bool:
        """Whether istiod's own loader takes it."""
        return self.problem is None or self.name in STRICTER


def bundle(leaf: Made, root: Made, *between: Made, **changes: bytes | None) -> dict[str, bytes]:
    """istiod's four files; ``changes`` (``ca_cert``, ``root_cert`` and so on) go before, None leaves a file out."""
    files: dict[str, bytes | None] = {
        "ca-cert.pem": leaf.pem,
        "ca-key.pem": leaf.key_pem(),
        "cert-chain.pem": leaf.pem + b"".join(made.pem for made in (*between, root)),
        "root-cert.pem": root.pem,
    }
    files |= {_file(name): content for name, content in changes.items()}
    return {name: content for name, content in files.items() if content is not None}


def _file(option: str) -> str:
    return f"{option.replace('_', '-')}.pem"


def table(now: datetime) -> list[Case]:
    """All cases, with certificates of that day."""
    return [*certificate_cases(now), *file_cases(now)]


def certificate_cases(now: datetime) -> list[Case]:
    """Files in good order, with certificates of every kind."""
    return [*_lives_and_keys(now), *_chains(now), *_extensions(now)]


def _lives_and_keys(now: datetime) -> list[Case]:
    root = make("root", now=now, path_length=1)
    below = functools.partial(make, "leaf", root, now=now)
    kinds = {
        "good": (below(days=(-1, 700), path_length=0), None),
        "expired": (below(days=(-20, -1)), "ca-cert.pem expired on"),
        "not-yet-valid": (below(days=(1, 100)), "ca-cert.pem isn't valid before"),
        "outlives": (below(days=(-1, 4000)), "ca-cert.pem outlives its issuer 'CN=root' in root-cert.pem"),
        "p384": (below(key=ec.generate_private_key(ec.SECP384R1())), None),
        "rsa": (below(key=rsa.generate_private_key(65537, 2048)), None),
        "p521": (below(key=ec.generate_private_key(ec.SECP521R1())), "istiod needs ECDSA P-256, P-384 or RSA"),
        "rsa-1024": (below(key=rsa.generate_private_key(65537, 1024)), "ca-cert.pem has an RSA key of 1024 bits"),
        "ed25519": (below(key=ed25519.Ed25519PrivateKey.generate()), "ca-key.pem is neither an ECDSA nor an RSA key"),
    }
    return [Case(name, bundle(made, root), problem) for name, (made, problem) in kinds.items()]


def _chains(now: datetime) -> list[Case]:
    new = functools.partial(make, now=now)
    root = new("root", key=rsa.generate_private_key(65537, 2048))
    middle, namesake = new("middle", root, days=(-1, 800)), new("root")
    low = new("low", middle, days=(-1, 700))
    last = new("last", root, path_length=0, days=(-1, 700))
    weak = sha1_signed(new("weak", root, days=(-1, 700)), root)
    old_root, no_ca = new("old root", days=(-20, -1)), new("no CA", ca=False)
    no_way = "no chain leads from ca-cert.pem"
    return [
        Case("three-levels", bundle(low, root, middle)),
        Case("gap", bundle(low, root), no_way),
        Case("other-root", bundle(new("stranger", namesake, days=(-1, 700)), root), no_way),
        Case("path-length", bundle(new("deep", last, days=(-1, 700)), root, last), "allows 0 intermediates below it"),
        Case("sha1", bundle(weak, root), "ca-cert.pem is signed with SHA-1"),
        Case("root-expired", bundle(new("leaf", old_root, days=(-19, -2)), old_root), "in root-cert.pem expired on"),
        Case("root-not-a-ca", bundle(new("leaf", no_ca, days=(-1, 700)), no_ca), "in root-cert.pem isn't a CA"),
    ]


def _extensions(now: datetime) -> list[Case]:
    root = make("root", now=now, extension=(x509.SubjectKeyIdentifier(b"y" * 20), False))
    below = functools.partial(make, "leaf", root, now=now, days=(-1, 700))
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    mail = ExtendedKeyUsageOID.EMAIL_PROTECTION
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")
    another = x509.AuthorityKeyIdentifier(b"x" * 20, None, None)
    without_tls = "limited to uses without TLS servers and clients"
    kinds = {
        "not-a-ca": (below(ca=False), "ca-cert.pem isn't a CA certificate"),
        "no-constraints": (below(ca=None), "ca-cert.pem isn't a CA certificate"),
        "key-usage": (below(sign_certificates=False), "ca-cert.pem may not sign certificates (key usage)"),
        "tls-uses": (below(extension=(x509.ExtendedKeyUsage([server, client]), True)), None),
        "other-uses": (below(extension=(x509.ExtendedKeyUsage([mail]), False)), without_tls),
        "server-only": (below(extension=(x509.ExtendedKeyUsage([server]), False)), without_tls),
        "unknown-critical": (below(extension=(unknown, True)), "a critical extension that isn't known (1.2.3.4)"),
        "issuer-key": (below(extension=(another, False)), "ca-cert.pem names another key of its issuer"),
    }
    return [Case(name, bundle(made, root), problem) for name, (made, problem) in kinds.items()]


def file_cases(now: datetime) -> list[Case]:
    """Good certificates in files of every kind."""
    root, other = make("root", now=now, path_length=1), make("another root", now=now)
    leaf = make("leaf", root, now=now, path_length=0, days=(-1, 700))
    good = functools.partial(bundle, leaf, root)
    return [*_forms(good, leaf, root, other), *_contents(good, leaf, root), *_missing(good)]


def _forms(good: Callable[..., dict[str, bytes]], leaf: Made, root: Made, other: Made) -> list[Case]:
    """The right content in other forms."""
    sec1 = serialization.PrivateFormat.TraditionalOpenSSL
    crlf = {name: content.replace(b"\n", b"\r\n") for name, content in good().items()}
    spread = b"subject=CN = leaf\n\n" + leaf.pem + b"\n" + root.pem + b"end\n"
    old_label = leaf.pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE")
    der = leaf.certificate.public_bytes(serialization.Encoding.DER)
    not_at_start = "has PEM blocks that don't begin at the start of a line"
    return [
        Case("crlf", crlf),
        Case("text-around", good(cert_chain=spread)),
        Case("no-line-end", good(ca_cert=leaf.pem.rstrip())),
        Case("two-roots", good(root_cert=other.pem + root.pem)),
        Case("sec1-key", good(ca_key=leaf.key_pem(form=sec1))),
        Case(
            "parameters-first",
            good(ca_key=_CURVE_PARAMETERS + leaf.key_pem(form=sec1)),
            "ca-key.pem begins with EC PARAMETERS, and istiod reads its first block as the key",
        ),
        Case("byte-order-mark", good(ca_cert=b"\xef\xbb\xbf" + leaf.pem), f"ca-cert.pem {not_at_start}"),
        Case("indented", good(root_cert=b"  " + root.pem), f"root-cert.pem {not_at_start}"),
        Case("old-label", good(ca_cert=old_label), "ca-cert.pem holds something else than plain certificates"),
        Case("der", good(ca_cert=der), "ca-cert.pem is DER, not PEM"),
        Case("cut-off", good(ca_cert=leaf.pem[:200]), "ca-cert.pem is cut off"),
        Case("ten-megabytes", good(ca_cert=leaf.pem + b"x" * 10_000_000), "ca-cert.pem is larger than 1 MiB"),
    ]


def _contents(good: Callable[..., dict[str, bytes]], leaf: Made, root: Made) -> list[Case]:
    """Other content than belongs there."""
    damaged = leaf.pem.replace(b"M", b"N", 9)
    in_chain = leaf.pem + leaf.key_pem() + root.pem
    other_key = "ca-key.pem is the key of another certificate than ca-cert.pem"
    return [
        Case("wrong-order", good(cert_chain=root.pem + leaf.pem), "cert-chain.pem doesn't begin with ca-cert.pem"),
        Case("several-keys", good(ca_key=leaf.key_pem() * 2), "ca-key.pem holds 2 private keys, and one is wanted"),
        Case("other-key", good(ca_key=root.key_pem()), other_key),
        Case("locked-key", good(ca_key=leaf.key_pem("pw")), "ca-key.pem is encrypted, and no passphrase was given"),
        Case("certificate-as-key", good(ca_key=leaf.pem), "ca-key.pem holds no private key: it holds: CERTIFICATE"),
        Case("key-in-certificate", good(ca_cert=leaf.key_pem() + leaf.pem), "ca-cert.pem holds a private key"),
        Case("key-in-chain", good(cert_chain=in_chain), "cert-chain.pem holds a private key, and istiod hands"),
        Case("damaged", good(ca_cert=damaged), "certificate 1 of ca-cert.pem can't be read"),
    ]


def _missing(good: Callable[..., dict[str, bytes]]) -> list[Case]:
    """Each file missing, empty, and something else than PEM."""
    cases = []
    for option in ("ca_cert", "ca_key", "cert_chain", "root_cert"):
        file, name = _file(option), option.removeprefix("ca_").removesuffix("_cert").removeprefix("cert_")
        cases += [
            Case(f"{name}-missing", good(**{option: None}), f"{file} is missing"),
            Case(f"{name}-empty", good(**{option: b""}), f"{file} is empty"),
            Case(f"{name}-not-pem", good(**{option: b"hello\n"}), f"{file} isn't PEM"),
        ]
    return cases
