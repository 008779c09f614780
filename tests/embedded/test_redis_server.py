"""The Redis that the service brings along, and the lock over a data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from sms_service.embedded import EngineError, FolderLock, RedisServer, with_running_engines
from sms_service.settings import load_settings


def test_it_evicts_nothing_and_listens_on_its_socket_only(own_redis: RedisServer) -> None:
    client = redis.Redis.from_url(own_redis.url)
    configured = client.config_get("*")
    assert configured["maxmemory-policy"] == "noeviction"
    assert configured["port"] == "0"
    assert configured["save"] == ""
    assert client.info("server")["redis_version"] >= "6.2"


def test_a_killed_one_starts_again_empty(own_redis: RedisServer) -> None:
    client = redis.Redis.from_url(own_redis.url)
    client.set("a", 1)
    own_redis.kill()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    own_redis.start()
    assert client.get("a") is None


def test_a_leftover_is_ended_by_the_next_start(own_redis: RedisServer) -> None:
    first = own_redis.process
    again = RedisServer(own_redis.data_dir)
    again.start()
    assert first.wait(30) == 0
    assert redis.Redis.from_url(again.url).ping()
    again.stop()


def test_the_lock_names_its_owner_and_ends_with_it(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from sms_service.embedded import FolderLock
FolderLock(Path({str(tmp_path)!r})).acquire()
print("held", flush=True)
sys.stdin.read()
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    ours = FolderLock(tmp_path)
    with pytest.raises(EngineError, match=f"already running in {tmp_path}, pid {owner.pid}$"):
        ours.acquire()
    owner.kill()
    owner.communicate()
    ours.acquire()
    ours.release()
    ours.acquire()
    ours.release()


def test_a_command_without_a_running_service_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="start it with `make run`, or set DATABASE_URL"):
        with_running_engines(load_settings({}, tmp_path))


def test_engines_that_are_named_are_used_as_they_are(tmp_path: Path) -> None:
    named = load_settings({"DATABASE_URL": "postgresql://a@b/c", "REDIS_URL": "redis://d"}, tmp_path)
    assert with_running_engines(named) == named
