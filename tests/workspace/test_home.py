"""Home: folders, ports and token from the environment."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.config import jaas_options
from lakehouse import kafka, processes
from lakehouse.cli import main
from lakehouse.dbt_token import VARIABLE
from lakehouse.home import CHECKOUT, Home, WorkspaceError
from lakehouse.processes import Command
from tests.support import until


def test_default_home_is_a_hidden_folder_of_the_checkout_on_a_fixed_port() -> None:
    home = Home.from_environment({})
    assert home.root == CHECKOUT / ".lakehouse"
    assert home.base_port == 15440


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


@pytest.mark.parametrize("token", ["é", "a\nb", " a", "a ", "\x1b"])
def test_a_token_that_fits_no_header_is_refused(token: str) -> None:
    with pytest.raises(WorkspaceError, match="LAKEHOUSE_TOKEN may hold printable ASCII only"):
        Home.from_environment({"LAKEHOUSE_TOKEN": token})


def test_a_home_is_for_its_owner_only_also_if_it_was_there_before(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home", 4000)
    home.root.mkdir(parents=True, mode=0o777)
    home.root.chmod(0o777)
    home.create()
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    assert sorted(p.name for p in home.landing.iterdir()) == ["gym_logins", "registered_users"]


def test_a_folder_of_all_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(WorkspaceError, match="belongs to others too: set LAKEHOUSE_HOME"):
        Home(shared, 4000).create()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert list(shared.iterdir()) == []


def test_each_home_has_a_token_of_its_own_which_stays(tmp_path: Path) -> None:
    home, other = Home(tmp_path / "a", 4000), Home(tmp_path / "b", 4000)
    with pytest.raises(WorkspaceError, match="has no token yet: run `lakehouse up`"):
        _ = home.token
    home.create()
    other.create()
    token = home.token
    assert len(token) >= 40
    assert token != other.token
    home.token_file.chmod(0o644)
    home.create()
    assert home.token == token
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    assert token not in repr(home) + str(home.environment())
    home.token_file.write_text("\n")  # a disk was full
    home.create()
    assert len(home.token) >= 40
    assert sorted(p.name for p in home.root.glob("*token*")) == ["token"]
    assert Home.from_environment({"LAKEHOUSE_TOKEN": "given"}).token == "given"


def test_files_of_a_part_are_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path, 4000)
    home.create()
    touch = Command("kafka", ("touch", str(home.run / "written")), home.root)
    before = os.umask(0o022)
    try:
        processes.start(home, touch)
        until((home.run / "written").exists)
    finally:
        os.umask(before)
        processes.stop(home, "kafka")
    assert stat.S_IMODE((home.run / "written").stat().st_mode) == 0o600


def test_files_of_a_command_are_for_its_owner_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("simulate", "--users", "1", "--out", str(out))
    subprocess.run([sys.executable, "-m", "lakehouse.cli", *arguments], check=True, umask=0o022)
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize("token", ['a"b', "a\\b", "a'b;c=d e", '\\"'])
def test_kafka_is_told_any_token(tmp_path: Path, token: str) -> None:
    settings = kafka.client_settings(Home(tmp_path, 4000, token))
    assert jaas_options(settings["sasl.jaas.config"]) == {
        "username": "lakehouse",
        "password": token,
    }


def read_by_python(home: Home, code: str, **variables: str) -> str:
    """What a program of the virtual environment prints, led to a home."""
    environment = {k: v for k, v in os.environ.items() if k != "LAKEHOUSE_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-c", f"import os; {code}; print(os.environ.get('{VARIABLE}'))"],
        env={**environment, **home.environment(), **variables},
        cwd=home.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_who_imports_dbt_has_the_token_and_nobody_else(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", 4000)
    home.root.mkdir()
    imports = "import dbt.version"
    assert read_by_python(home, imports, **{VARIABLE: "another home's"}) == "None"
    home.create()
    assert read_by_python(home, imports) == home.token
    assert read_by_python(home, imports, LAKEHOUSE_TOKEN="given") == "given"
    assert read_by_python(home, "import json") == "None"


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
    assert main(["env"]) == 1
    assert "run `lakehouse up`" in capsys.readouterr().err
    home = Home.from_environment()
    home.create()
    assert main(["env"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"export LAKEHOUSE_HOME='{folder}'",
        "export LAKEHOUSE_PORT=4000",
        f"export LAKEHOUSE_TOKEN={home.token}",
        "export LAKEHOUSE_KAFKA_BOOTSTRAP=127.0.0.1:4001",
        "export LAKEHOUSE_KAFKA_USER=lakehouse",
        f"export LAKEHOUSE_KAFKA_PASSWORD={home.token}",
        f"export LAKEHOUSE_KAFKA_PROPERTIES='{folder}/run/kafka-client.properties'",
    ]
