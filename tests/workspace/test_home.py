"""Home: folders, ports and token from the environment."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from local.cli import main
from local.home import CHECKOUT, Home, WorkspaceError


def test_default_home_is_a_hidden_folder_of_the_checkout_on_a_fixed_port() -> None:
    home = Home.from_environment({})
    assert home.root == CHECKOUT / ".lakehouse"
    assert home.base_port == 15440
    assert home.token == "lakehouse-local"


def test_ports_of_another_home_follow_from_its_name_as_given() -> None:
    # The same arithmetic stands in profiles.yml; this test pins it.
    name = "/srv/homes/b"
    number = int(hashlib.md5(name.encode()).hexdigest()[:4], 16) % 1500
    home = Home.from_environment({"LAKEHOUSE_HOME": name})
    assert home.base_port == 20000 + 8 * number
    ports = [home.endpoint_port, home.kafka_port, home.controller_port, home.connect_port]
    assert [*ports, home.metrics_port] == list(range(home.base_port, home.base_port + 5))


def test_port_and_token_can_be_given(tmp_path: Path) -> None:
    home = Home.from_environment(
        {"LAKEHOUSE_HOME": str(tmp_path), "LAKEHOUSE_PORT": "4000", "LAKEHOUSE_TOKEN": "a;b c"}
    )
    assert home.endpoint_url == "http://localhost:4000"
    assert home.connect_url == "sc://localhost:4003/;token=a%3Bb%20c"
    assert Home.from_environment(home.environment()) == home
    assert "a;b c" not in repr(home)


@pytest.mark.parametrize("port", ["http", "80", "65529", "-1", "1e4", "١٢٣٤"])
def test_a_bad_port_is_refused_with_the_way_out(port: str) -> None:
    with pytest.raises(WorkspaceError, match=r"LAKEHOUSE_PORT is .*: set it to a number"):
        Home.from_environment({"LAKEHOUSE_PORT": port})


def test_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home", 4000)
    home.create()
    home.create()
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in home.landing.iterdir()) == ["gym_logins", "registered_users"]


def test_a_place_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for root in (file, file / "below", Path("/proc/nowhere")):
        with pytest.raises(WorkspaceError, match="set LAKEHOUSE_HOME to a place where you may"):
            Home(root, 4000).create()
    assert file.read_text() == "mine"


def test_env_prints_exports_that_a_shell_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my home"
    monkeypatch.setenv("LAKEHOUSE_HOME", str(folder))
    monkeypatch.setenv("LAKEHOUSE_PORT", "4000")
    monkeypatch.delenv("LAKEHOUSE_TOKEN", raising=False)
    assert main(["env"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"export LAKEHOUSE_HOME='{folder}'",
        "export LAKEHOUSE_PORT=4000",
        "export LAKEHOUSE_TOKEN=lakehouse-local",
    ]
