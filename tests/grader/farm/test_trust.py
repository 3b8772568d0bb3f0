"""Who may talk to whom: nothing but loopback without TLS, nobody without the farm's certificate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machines import Farm
from typer.testing import CliRunner

from grader.cli.main import app
from grader.farm import trust
from harness.errors import SetupError, UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://127.0.0.1:99", "tcp://127.0.0.1:99"),
        ("tcp://localhost", "tcp://localhost:8786"),
        ("tcp://[::1]:5", "tcp://[::1]:5"),
        ("tls://farm.example.org", "tls://farm.example.org:8786"),
        ("tls://192.0.2.1:0/", "tls://192.0.2.1:0"),
    ],
)
def test_addresses_that_may_be_used(text: str, address: str, tmp_path: Path) -> None:
    assert trust.checked(text, tmp_path if text.startswith("tls") else None) == address


@pytest.mark.parametrize(
    "text",
    [
        "tcp://192.0.2.1:8786",
        "tcp://farm.example.org",
        "tcp://127.0.0.1.example.org",
        "tcp://[2001:db8::1]:1",
        "tcp://0",
    ],
)
def test_nothing_leaves_this_machine_without_tls(text: str, tmp_path: Path) -> None:
    for certificates in (None, tmp_path):
        with pytest.raises(UsageError, match="without TLS"):
            trust.checked(text, certificates)


@pytest.mark.parametrize(
    "text", ["", "farm", "8786", "http://farm:1", "tls://", "tls://h:99999", "tls://h/x", "tls://h?x=1", "inproc://x"]
)
def test_what_is_no_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address of a scheduler"):
        trust.checked(text, tmp_path)


def test_tls_needs_the_farms_certificates(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--certificates"):
        trust.checked("tls://farm", None)
    with pytest.raises(SetupError, match=r"authority.pem is missing. Copy the whole folder"):
        trust.security(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_certificates_are_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    done = CliRunner().invoke(app, ["farm", "certificates", str(folder)])
    assert (done.exit_code, "Copy both to each machine" in done.output) == (0, True)
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder / trust.MEMBER)] == ["0o700", "0o600"]
    assert trust.security(folder)["require_encryption"] is True
    with pytest.raises(UsageError, match="already"):
        trust.make_certificates(folder)
    (folder / trust.MEMBER).chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        trust.security(folder)


def test_nobody_joins_without_the_farms_certificate(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    from distributed import Client

    from grader.farm.dask_settings import security_of, settle

    settle()
    ours, others = tmp_path / "ours", tmp_path / "others"
    trust.make_certificates(ours)
    trust.make_certificates(others)
    farm = Farm(None)
    try:
        farm.scheduler("tls://127.0.0.1:0", certificates=ours)
        with Client(farm.address, security=security_of(ours), timeout=20, set_as_default=False) as client:
            assert client.scheduler_info()["workers"] == {}
        with pytest.raises(OSError):
            Client(farm.address, security=security_of(others), timeout=1, set_as_default=False)
        with pytest.raises(OSError):
            Client(farm.address.replace("tls", "tcp"), timeout=1, set_as_default=False)
    finally:
        farm.close()


@pytest.mark.parametrize("words", [["run", ".", "--out", "o", "--scheduler"], ["worker"], ["farm", "scheduler"]])
def test_every_command_refuses_to_leave_without_tls(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*words, "tcp://192.0.2.1:8786"])
    assert isinstance(done.exception, UsageError) or done.exit_code == 2
    assert "without TLS" in f"{done.output} {done.exception}"
