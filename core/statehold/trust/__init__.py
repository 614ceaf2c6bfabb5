"""Who may deploy what: images signed with Ed25519, and the host's store of keys and rules."""

from __future__ import annotations

from statehold.trust._check import Signed, Trust, Verdict, judge
from statehold.trust._errors import TrustError
from statehold.trust._isolation import isolation_problems
from statehold.trust._keys import PublicKey, SigningKey, is_encrypted
from statehold.trust._sign import sign_image
from statehold.trust._signatures import Signature, Signatures
from statehold.trust._signers import Signer, signers
from statehold.trust._store import OwnerTrust, Rule, TrustedKey, TrustStore, change_store, read_store

__all__ = [
    "OwnerTrust",
    "PublicKey",
    "Rule",
    "Signature",
    "Signatures",
    "Signed",
    "Signer",
    "SigningKey",
    "Trust",
    "TrustError",
    "TrustStore",
    "TrustedKey",
    "Verdict",
    "change_store",
    "is_encrypted",
    "isolation_problems",
    "judge",
    "read_store",
    "sign_image",
    "signers",
]
