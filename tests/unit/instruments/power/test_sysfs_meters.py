"""Meters in sysfs: files as the kernel's documentation shows them, in a tree of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.instruments.power import kinds, meter, meter_class, resolves
from primetime.instruments.power.dcmi import watts as dcmi_watts
from primetime.instruments.power.pmic import rails_sum
from primetime.model import MeterSpec

RECORDED = Path(__file__).parents[3] / "recorded"


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write files below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")
    return root


def test_rapl_wraps_and_never_sums_its_parts(tmp_path: Path) -> None:
    top = 262143328850
    root = tree(
        tmp_path,
        {
            "intel-rapl:0/name": "package-0",
            "intel-rapl:0/energy_uj": str(top - 500_000),
            "intel-rapl:0/max_energy_range_uj": str(top),
            "intel-rapl:0:0/name": "core",
            "intel-rapl:0:0/energy_uj": "7000000",
            "intel-rapl:0:0/max_energy_range_uj": str(top),
        },
    )
    made = meter(MeterSpec("cpu", "rapl", {"root": str(root)}))
    assert made.unavailable() == ""
    before = made.read()[0].values["total"]
    tree(root, {"intel-rapl:0/energy_uj": "1500000"})
    assert made.read()[0].values["total"] - before == pytest.approx(2.000001, abs=1e-5)  # 0.5 J to the top, 1.5 J after
    tree(root, {"intel-rapl:0/energy_uj": "2500000"})
    assert made.read()[0].values["total"] - before == pytest.approx(3.000001, abs=1e-5)
    assert made.channels()[0].unit == "J"


def test_ina3221_of_l4t_r32_takes_the_total_and_sums_nothing(tmp_path: Path) -> None:
    device = "bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    rails = {"POM_5V_IN": 2532, "POM_5V_GPU": 40, "POM_5V_CPU": 643}
    files = {}
    for number, (rail, milliwatts) in enumerate(rails.items()):
        files[f"{device}/rail_name_{number}"] = rail
        files[f"{device}/in_power{number}_input"] = str(milliwatts)
    made = meter(MeterSpec("nano", "ina3221", {"root": str(tree(tmp_path, files))}))
    assert made.channels()[0].name == "POM_5V_IN"
    assert made.read()[0].values == pytest.approx({"POM_5V_IN": 2.532, "POM_5V_GPU": 0.04, "POM_5V_CPU": 0.643})


def test_ina3221_of_jetpack_5_multiplies_volts_and_amperes(tmp_path: Path) -> None:
    files = {"class/hwmon/hwmon3/name": "ina3221"}
    for number, (rail, mv, ma) in enumerate(
        (("VDD_CPU_GPU_CV", 5048, 320), ("VDD_SOC", 5048, 200), ("VDD_IN", 5056, 904)), 1
    ):
        files |= {f"class/hwmon/hwmon3/in{number}_label": rail, f"class/hwmon/hwmon3/in{number}_input": str(mv),
                  f"class/hwmon/hwmon3/curr{number}_input": str(ma)}  # fmt: skip
    made = meter(MeterSpec("orin", "ina3221", {"root": str(tree(tmp_path, files))}))
    assert made.channels()[0].name == "VDD_IN"
    assert made.read()[0].values["VDD_IN"] == pytest.approx(5.056 * 0.904)


@pytest.mark.parametrize(
    ("files", "sensor", "watts"),
    [
        ({"power1_input": "4750000"}, "", 4.75),
        ({"power1_average": "4750000"}, "", 4.75),
        ({"in1_input": "5000", "curr1_input": "950"}, "", 4.75),
        ({"power1_input": "1", "in2_input": "5000", "curr2_input": "950"}, "2", 4.75),
    ],
)
def test_hwmon_in_its_forms(tmp_path: Path, files: dict[str, str], sensor: str, watts: float) -> None:
    root = tree(tmp_path, {f"hwmon0/{name}": text for name, text in {"name": "ina226", **files}.items()})
    made = meter(MeterSpec("board", "hwmon", {"root": str(root), "chip": "ina226", "sensor": sensor}))
    assert made.read()[0].values == pytest.approx({"total": watts})


def test_hwmon_leaves_the_three_channel_sensor_to_its_own_kind(tmp_path: Path) -> None:
    root = tree(tmp_path, {"hwmon0/name": "ina3221", "hwmon0/in1_input": "5000", "hwmon0/curr1_input": "900"})
    assert "no hwmon device" in meter(MeterSpec("board", "hwmon", {"root": str(root)})).unavailable()


def test_power_supply_in_both_forms(tmp_path: Path) -> None:
    root = tree(tmp_path, {"AC/online": "1", "BAT0/voltage_now": "11800000", "BAT0/current_now": "-500000"})
    made = meter(MeterSpec("battery", "power_supply", {"root": str(root)}))
    assert made.read()[0].values["total"] == pytest.approx(5.9)
    tree(root, {"BAT0/power_now": "6100000"})
    assert made.read()[0].values["total"] == pytest.approx(6.1)


def test_pmic_pairs_rails_by_name_and_leaves_out_what_has_volts_only() -> None:
    text = (
        " 3V7_WL_SW_A current(0)=0.00000000A\n   3V3_SYS_A current(1)=0.06245952A\n"
        "  VDD_CORE_A current(7)=1.12518000A\n"
        "   3V3_SYS_V volt(9)=3.30632200V\n  VDD_CORE_V volt(15)=0.89745940V\n     EXT5V_V volt(24)=5.06788000V\n"
    )
    assert rails_sum(text) == pytest.approx(0.06245952 * 3.306322 + 1.12518 * 0.8974594)
    with pytest.raises(ValueError, match="no rail"):
        rails_sum("Command not registered\n")


@pytest.mark.parametrize(
    "text",
    [
        "\n    Instantaneous power reading:                   122 Watts\n    Minimum during sampling period: 2 Watts\n",
        "Current Power                        : 122 Watts\nMinimum Power over sampling duration : 60 watts\n",
    ],
)
def test_dcmi_in_the_words_of_both_programs(text: str) -> None:
    assert dcmi_watts(text) == 122.0
    with pytest.raises(ValueError, match="no power reading"):
        dcmi_watts("DCMI request failed because: Invalid command (c1)")


def test_settings_that_are_wrong_name_the_meter_and_a_way_out() -> None:
    with pytest.raises(UserError, match=r"meter\.plug \(shelly\): host is missing"):
        meter(MeterSpec("plug", "shelly", {}))
    with pytest.raises(UserError, match="unknown setting 'hots'") as caught:
        meter(MeterSpec("plug", "shelly", {"hots": "a"}))
    assert "did you mean host?" in caught.value.hint
    with pytest.raises(UserError, match="port must be a whole number, not"):
        meter(MeterSpec("wt", "scpi", {"host": "a", "port": "x"}))
    with pytest.raises(UserError, match="unknown kind of meter 'ouija'"):
        meter(MeterSpec("x", "ouija", {}))


def test_every_kind_says_how_it_is_written_in_a_study() -> None:
    for kind in kinds():
        module = __import__(meter_class(kind).__module__, fromlist=["x"])
        assert f'kind = "{kind}"' in (module.__doc__ or "")


def test_what_a_meter_resolves_is_said_in_words() -> None:
    words = resolves(meter(MeterSpec("plug", "shelly", {"host": "127.0.0.1"})))
    assert words.startswith("total at the wall: steps of 0.1 W, 1 Hz, ±1 %")
