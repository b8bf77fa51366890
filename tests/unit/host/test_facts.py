"""Facts of the machine: flat names, each once, and what the parsers make of odd texts."""

from __future__ import annotations

from pathlib import Path

from primetime.host import facts


def test_facts_have_flat_dotted_names_each_once() -> None:
    found = [*facts.machine_facts(), *facts.volume_facts(Path("/"))]
    names = [fact.name for fact in found]
    assert len(names) == len(set(names))
    assert all("." in name and name == name.strip() and " " not in name for name in names)
    assert {"cpu.count", "kernel.release", "memory.total_bytes", "cgroup.version", "disk.name"} <= set(names)


def test_options_that_are_not_set_are_absent_from_the_config() -> None:
    config = facts.parse_config('CONFIG_HZ=250\n# CONFIG_PREEMPT is not set\nCONFIG_CC="gcc 12"\nCONFIG_KVM=m\n')
    assert config == {"HZ": "250", "CC": "gcc 12", "KVM": "m"}


def test_an_arm_processor_is_named_by_its_codes() -> None:
    arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd08\n"
    assert facts.cpu_model(arm) == "Arm implementer 0x41 part 0xd08"
    assert facts.cpu_model("model name\t: AMD EPYC\n" + arm) == "AMD EPYC"
    assert facts.cpu_model("processor\t: 0\n") is None


def test_an_emulated_board_says_so_on_its_command_line() -> None:
    assert facts.emulated_as("root=/dev/vda rw primetime.emulated=x86 quiet") == "x86"
    assert facts.emulated_as("primetime.emulated=") == "yes"
    assert facts.emulated_as("root=/dev/vda notprimetime.emulated=x86") == ""


def test_a_tool_that_is_not_installed_is_none() -> None:
    assert facts.version("primetime-has-no-such-tool") is None


def test_a_file_that_is_not_there_has_no_first_line(tmp_path: Path) -> None:
    assert facts.first_line(tmp_path / "gone") is None
    (tmp_path / "empty").touch()
    assert facts.first_line(tmp_path / "empty") == ""
