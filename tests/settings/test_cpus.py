"""`--workers auto`: what control groups and the affinity mask leave, read from files like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastwsgi.settings import cpus


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "proc"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


@pytest.mark.parametrize(
    ("text", "limit"), [("150000 100000\n", 1.5), ("max 100000\n", None), ("50000 100000\n", 0.5), ("odd\n", None)]
)
def test_v2(proc: Path, root: Path, text: str, limit: float | None) -> None:
    write(proc / "cgroup", "0::/web/shop\n")
    write(root / "web" / "shop" / "cpu.max", text)
    assert cpus.quota(proc, root) == limit


def test_v2_the_narrowest_of_the_groups_above_counts(proc: Path, root: Path) -> None:
    write(proc / "cgroup", "0::/web/shop\n")
    write(root / "web" / "shop" / "cpu.max", "400000 100000\n")
    write(root / "web" / "cpu.max", "200000 100000\n")
    assert cpus.quota(proc, root) == 2


def test_v2_in_a_container_that_is_told_the_hosts_path(proc: Path, root: Path) -> None:
    write(proc / "cgroup", "0::/docker/0123\n")
    write(root / "cpu.max", "300000 100000\n")
    assert cpus.quota(proc, root) == 3


@pytest.mark.parametrize(("quota", "limit"), [("250000", 2.5), ("-1", None)])
def test_v1(proc: Path, root: Path, quota: str, limit: float | None) -> None:
    write(proc / "cgroup", "3:cpuset:/\n2:cpu,cpuacct:/docker/0123\n")
    write(root / "cpu,cpuacct" / "cpu.cfs_quota_us", f"{quota}\n")
    write(root / "cpu,cpuacct" / "cpu.cfs_period_us", "100000\n")
    assert cpus.quota(proc, root) == limit


def test_v1_mounted_as_cpu(proc: Path, root: Path) -> None:
    write(proc / "cgroup", "2:cpu,cpuacct:/web\n")
    write(root / "cpu" / "web" / "cpu.cfs_quota_us", "100000\n")
    write(root / "cpu" / "web" / "cpu.cfs_period_us", "50000\n")
    assert cpus.quota(proc, root) == 2


def test_no_control_groups(proc: Path, root: Path) -> None:
    assert cpus.quota(proc, root) is None


@pytest.mark.parametrize(
    ("limit", "affinity", "number"), [(None, 4, 4), (1.5, 4, 2), (8.0, 4, 4), (0.3, 4, 1), (2.0, 1, 1)]
)
def test_the_least_counts(monkeypatch: pytest.MonkeyPatch, limit: float | None, affinity: int, number: int) -> None:
    monkeypatch.setattr(cpus, "quota", lambda: limit)
    monkeypatch.setattr(cpus, "affinity", lambda: affinity)
    assert cpus.available() == number


def test_affinity_is_of_this_process() -> None:
    if hasattr(os, "sched_getaffinity"):
        assert cpus.affinity() == len(os.sched_getaffinity(0))
    assert cpus.available() >= 1
