"""Reading the cgroup layout of version 1, hybrid and version 2 hosts."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from primetime.host.cgroup import Cgroup, Hierarchy, find_hierarchy, parse_cpus
from primetime.host.mounts import parse_mounts

RECORDED = Path(__file__).parents[2] / "recorded"


def test_hybrid_host_counts_as_version_1() -> None:
    mountinfo = (RECORDED / "mountinfo-linux-6.18-hybrid.txt").read_bytes()
    hierarchy = find_hierarchy(parse_mounts(mountinfo), {Path("/sys/fs/cgroup/unified"): ""})
    assert hierarchy.version == 1
    assert hierarchy.roots["memory"] == Path("/sys/fs/cgroup/memory")
    assert hierarchy.roots["cpuacct"] == Path("/sys/fs/cgroup/cpuacct")


def test_unified_host_counts_as_version_2() -> None:
    mountinfo = b"35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    hierarchy = find_hierarchy(parse_mounts(mountinfo), {Path("/sys/fs/cgroup"): "cpuset cpu io memory pids"})
    assert hierarchy.version == 2
    assert set(hierarchy.roots.values()) == {Path("/sys/fs/cgroup")}


def test_no_memory_controller_is_not_version_2() -> None:
    mountinfo = b"35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    hierarchy = find_hierarchy(parse_mounts(mountinfo), {Path("/sys/fs/cgroup"): "cpuset cpu io pids"})
    assert hierarchy.version == 1
    assert "memory" not in hierarchy.roots


@given(cpus=st.sets(st.integers(0, 300), min_size=1))
def test_cpu_lists_round_trip(cpus: set[int]) -> None:
    assert parse_cpus(",".join(str(cpu) for cpu in sorted(cpus))) == cpus


def test_cpu_ranges() -> None:
    assert parse_cpus("0-2,5\n") == {0, 1, 2, 5}
    assert parse_cpus("\n") == frozenset()


def test_kills_for_want_of_memory_by_version(tmp_path: Path) -> None:
    """Version 2 counts groups below; of version 1 they are added. A group that is gone has none."""
    group = tmp_path / "primetime/b1"
    (group / "shim/inner").mkdir(parents=True)
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (group / "shim/inner/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    for version, kills in ((2, 2), (1, 5)):
        hierarchy = Hierarchy(version, {"memory": tmp_path})
        assert Cgroup("primetime/b1", hierarchy).memory_kills() == kills
        assert Cgroup("primetime/b2", hierarchy).memory_kills() == 0
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\n")  # Linux 4.9
    assert Cgroup("primetime/b1", Hierarchy(1, {"memory": tmp_path})).memory_kills() == 4
