from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import build_image
from statehold.trust import SigningKey, TrustedKey, TrustStore, change_store

FILES = {
    "descriptor.json": '{"NumParts": 1}',
    "image/pkg/acme.example/bills/bills.vsql": "APPLICATION bills();\n",
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """Build an image of an application, with other files where they are given."""

    def build(app: str = "acme.bills", **files: str) -> Path:
        folder = tmp_path / f"source{len(list(tmp_path.iterdir()))}" / app
        for name, text in {**FILES, **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return build_image(folder)

    return build


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def store(tmp_path: Path, key: SigningKey) -> Path:
    """A trust store that trusts *key* for acme."""
    path = tmp_path / "trust.json"
    change_store(path, lambda store: store.with_key("acme", TrustedKey(public=key.public)))
    return path


@pytest.fixture
def trusting(store: Path) -> Callable[..., TrustStore]:
    """Change the trust store."""

    def change(change: Callable[[TrustStore], TrustStore]) -> TrustStore:
        return change_store(store, change)

    return change
