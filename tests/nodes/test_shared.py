"""A node is the database's URL and the master key: what all of them have comes with these, and nothing else is carried over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import jwt
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from sqlalchemy import event, func, select, update

from authsvc.audit.models import AuditLog
from authsvc.cli import cli
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import InvalidCredentials, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.sealing import seal, unseal
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.nodes import shared
from authsvc.nodes.models import SharedSecret
from authsvc.stack.prepare import prepare
from authsvc.token import leaves, tasks
from authsvc.token.issuer import Issuer
from authsvc.token.keys import LEAF_DAYS, KeyStore
from authsvc.token.models import SigningLeaf
from authsvc.users.models import User
from authsvc.wiring import make_issuer

Make = Callable[..., "Node"]


@dataclass(frozen=True)
class Node:
    settings: Settings
    app: Flask
    readers: list[VersionReader] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(self.settings)

    @property
    def keys(self) -> KeyStore:
        return KeyStore(self.layout.keys)

    def issuer(self) -> Issuer:
        with self.app.app_context():
            self.readers.append(VersionReader(db.engine))
        return make_issuer(self.settings, self.readers[-1])

    def close(self) -> None:
        for reader in self.readers:
            reader.close()
        with self.app.app_context():
            db.engine.dispose()

    def files(self) -> dict[str, list[bytes]]:
        return {name: [path.read_bytes() for path in paths] for name, paths in shared.files(self.layout).items()}

    def prepare(self) -> Node:
        prepare(self.app, self.settings)
        return self


@pytest.fixture
def make(make_settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Make]:
    """Nodes on one database, each with a state directory of its own."""
    database = make_settings().database_url
    key = tmp_path / "master-key"
    key.write_text("a master key of forty characters or more\n")
    key.chmod(0o600)
    made: list[Node] = []

    def node(name: str, **changes: object) -> Node:
        given = {"master_key_file": key, "database_url": database} | changes
        settings = Settings(state_dir=tmp_path / name, **given)  # type: ignore[arg-type]
        made.append(Node(settings, create_base(settings)))
        return made[-1]

    yield node
    for one in made:
        one.close()


def test_a_second_node_joins_with_the_same_two_settings(make: Make) -> None:
    first, second = make("one").prepare(), make("two").prepare()
    assert first.files() == second.files()
    assert first.keys.signer().key_id != second.keys.signer().key_id, "each signs with a key of its own"
    authority = x509.load_pem_x509_certificate(first.layout.ca_certificate.read_bytes())
    for node in (first, second):
        x509.load_pem_x509_certificate(node.layout.server_certificate.read_bytes()).verify_directly_issued_by(authority)
    with first.app.app_context():
        sealed = seal("a directory's password")
    with second.app.app_context():
        assert unseal(sealed) == "a directory's password"
    before = first.files()
    assert first.prepare().files() == before


def test_each_takes_the_others_tokens(make: Make) -> None:
    """Also of a key that was made after it has begun; of one that was replaced for as long as its tokens may live."""
    first, second = make("one").prepare(), make("two").prepare()
    ours, theirs = (node.issuer() for node in (first, second))
    now = int(time.time())
    old = theirs.issue("alice", [], now).decode()
    assert ours.verify(old).subject == "alice"
    with second.app.app_context():
        tasks.rotate(second.keys)
    theirs.refresh()
    new = theirs.issue("alice", [], now).decode()
    assert ours.verify(new).subject == ours.verify(old).subject == "alice"
    with first.app.app_context(), transaction():
        long_ago = update(SigningLeaf).where(SigningLeaf.retired_at.is_not(None))
        db.session.execute(long_ago.values(retired_at=utcnow() - timedelta(hours=2)))
    assert ours.verify(new).subject == "alice"
    with pytest.raises(InvalidCredentials):
        ours.verify(old)


def test_keys_that_no_node_has_cost_no_search(make: Make) -> None:
    """Strangers may show any number of them: each is the question for the policy version, and nothing else."""
    node, stranger = make("one").prepare(), make("two").prepare()
    forger = stranger.issuer()
    issuer, asked = node.issuer(), Counter[str]()
    now = int(time.time())
    issuer.verify(forger.issue("alice", [], now).decode())  # it has read what there is
    with node.app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *given: asked.update([given[2]]))
    for _ in range(20):
        header = jwt.encode({}, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": token_hex(16)})
        with pytest.raises(InvalidCredentials):
            issuer.verify(header)
    assert not asked
    with stranger.app.app_context():
        tasks.rotate(stranger.keys)
    forger.refresh()
    asked.clear()
    assert issuer.verify(forger.issue("alice", [], now).decode()).subject == "alice"
    assert [statement for statement in asked if "signing_leaves" in statement], "the listener sees what is asked"


def test_keys_are_forgotten_when_their_tokens_are_gone(make: Make) -> None:
    """Also those of nodes that never came back to retire theirs."""
    node = make("one").prepare()
    with node.app.app_context():
        tasks.rotate(node.keys)
        with transaction():
            leaves.purge()
        assert db.session.scalar(select(func.count(SigningLeaf.id))) == 2
        with transaction():
            db.session.execute(update(SigningLeaf).values(creation_time=utcnow() - timedelta(days=LEAF_DAYS + 2)))
        with transaction():
            leaves.purge()
        assert not db.session.scalar(select(func.count(SigningLeaf.id)))


def test_a_key_below_another_authority_is_nobodys(make: Make) -> None:
    """Whoever may write to the database still signs no tokens."""
    node, stranger = make("one").prepare(), KeyStore(make("two").layout.keys)
    stranger.bundle.parent.mkdir(parents=True)
    stranger.prepare()
    with node.app.app_context():
        leaves.announce(stranger.leaves()[0])
        db.session.commit()
    forged = replace_keys(node, stranger)
    with pytest.raises(InvalidCredentials):
        node.issuer().verify(forged)


def replace_keys(node: Node, keys: KeyStore) -> str:
    """A token of that node's issuer, signed with other keys."""
    issuer = node.issuer()
    issuer._signer = keys.signer()
    return issuer.issue("admin", [], int(time.time())).decode()


def test_who_has_another_master_key_does_not_join(make: Make, tmp_path: Path) -> None:
    first = make("one").prepare()
    other = tmp_path / "other-key"
    other.write_text("another master key of forty characters...")
    other.chmod(0o600)
    for name, key, said in (
        ("wrong", other, "another master key"),
        ("none", tmp_path / "there-is-none", "master key is not here"),
        ("default", None, "master key is not here"),
    ):
        stranger = make(name, master_key_file=key)
        with pytest.raises(PreconditionFailed, match=said):
            stranger.prepare()
        assert not any(path.exists() for paths in shared.files(stranger.layout).values() for path in paths)
        assert stranger.layout.master_key == other or not stranger.layout.master_key.exists()
    other.write_text("short")
    with pytest.raises(PreconditionFailed, match="32 characters or more"):
        make("short", master_key_file=other).prepare()
    assert make("two").prepare().files() == first.files()


def test_an_installation_of_before_keeps_what_it_has(make: Make) -> None:
    node = make("one", master_key_file=None).prepare()
    before = node.files()
    with node.app.app_context():
        db.session.query(SharedSecret).delete()
        db.session.commit()
    node.layout.master_key.unlink()
    assert node.prepare().files() == before
    assert make("two", master_key_file=node.layout.master_key).prepare().files() == before


def test_nodes_that_begin_at_the_same_moment_agree(make: Make) -> None:
    nodes = [make(f"node-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(Node.prepare, nodes))
    assert len({str(node.files()) for node in nodes}) == 1
    with nodes[0].app.app_context():
        assert db.session.scalar(select(func.count()).select_from(User)) == 1
    assert sum((node.layout.secrets / "first-admin-password").exists() for node in nodes) == 1


def test_the_database_alone_tells_nothing(make: Make) -> None:
    node = make("one").prepare()
    with node.app.app_context():
        kept = "".join(db.session.scalars(select(SharedSecret.sealed)))
    for contents in node.files().values():
        for content in contents:
            assert content.decode().strip() not in kept
    assert "PRIVATE KEY" not in kept


def test_another_master_key(make: Make, tmp_path: Path) -> None:
    """Who has the new one joins with the same secrets; who has the old one is told; a key that is none changes nothing."""
    first = make("one").prepare()
    before = first.files()
    new = tmp_path / "new-key"
    new.write_text("short")
    new.chmod(0o600)
    with pytest.raises(PreconditionFailed, match="no master key"):
        shared.reseal(first.app, first.layout, new)
    new.write_text("another master key of forty characters and more\n")
    assert shared.reseal(first.app, first.layout, new) == len(before)
    assert make("two", master_key_file=new).prepare().files() == before
    with pytest.raises(PreconditionFailed, match="another master key"):
        make("three").prepare()
    with pytest.raises(PreconditionFailed, match="another master key"):
        shared.reseal(first.app, first.layout, new)


@pytest.mark.once
def test_the_command_that_rotates_it(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    node = Node(settings, create_base(settings)).prepare()
    before, key = node.files(), node.layout.master_key.read_text()
    new = tmp_path / "new-key"
    new.write_text("another master key of forty characters and more\n")
    new.chmod(0o600)
    done = CliRunner(env={"TIDEGATE_STATE_DIR": str(settings.state_dir)}).invoke(cli, ["rotate-master-key", str(new)])
    assert done.exit_code == 0, done.exception
    assert node.layout.master_key.read_text() == new.read_text() != key
    assert node.prepare().files() == before
    with node.app.app_context():
        assert "master-key" in db.session.scalars(select(AuditLog.resource_type)).all()
        db.session.rollback()
    node.close()
