"""Arrays and disks as /proc/mdstat, mdadm, lsblk and wipefs of a Debian 12 show them."""

from plugins.module_utils.raid_state import (
    Disk,
    Member,
    arrays_in,
    disk_in,
    fstab_in,
    kernel_names,
    parts_in,
    signatures_in,
)

# vdc was marked as failed; the spare vdf takes its place.
REBUILDING = """\
Personalities : [linear] [multipath] [raid0] [raid1] [raid6] [raid5] [raid4] [raid10]
md126 : active linear vdh[1] vdg[0]
      522240 blocks super 1.2 0k rounding

md127 : active raid10 vdf[4] vde[3] vdd[2] vdc[1](F) vdb[0]
      520192 blocks super 1.2 512K chunks 2 near-copies [4/3] [U_UU]
      [===>.................]  recovery = 16.8% (44096/260096) finish=0.0min speed=44096K/sec
      bitmap: 1/1 pages [4KB], 65536KB chunk

unused devices: <none>
"""
DETAILS = {
    "md126": """\
MD_LEVEL=linear
MD_DEVICES=2
MD_METADATA=1.2
MD_UUID=11398364:c0588540:39a1209b:b18c05ec
MD_DEVNAME=row
MD_NAME=machine:row
MD_DEVICE_dev_vdg_ROLE=0
MD_DEVICE_dev_vdg_DEV=/dev/vdg
MD_DEVICE_dev_vdh_ROLE=1
MD_DEVICE_dev_vdh_DEV=/dev/vdh
""",
    "md127": """\
MD_LEVEL=raid10
MD_DEVICES=4
MD_METADATA=1.2
MD_UUID=8deb85ec:5b7361a6:2bd07c78:1dd28530
MD_DEVNAME=data
MD_NAME=machine:data
MD_DEVICE_dev_vde_ROLE=3
MD_DEVICE_dev_vde_DEV=/dev/vde
MD_DEVICE_dev_vdc_ROLE=spare
MD_DEVICE_dev_vdc_DEV=/dev/vdc
MD_DEVICE_dev_vdf_ROLE=1
MD_DEVICE_dev_vdf_DEV=/dev/vdf
MD_DEVICE_dev_vdd_ROLE=2
MD_DEVICE_dev_vdd_DEV=/dev/vdd
MD_DEVICE_dev_vdb_ROLE=0
MD_DEVICE_dev_vdb_DEV=/dev/vdb
""",
}
INACTIVE = """\
Personalities : [raid1]
md0 : inactive vdb[0](S)
      260096 blocks super 1.2

unused devices: <none>
"""
BLANK = (
    '{"blockdevices": [{"name": "vdb", "path": "/dev/vdb", "type": "disk", "size": 268435456, "mountpoints": [null]}]}'
)
PARTITIONED = """\
{"blockdevices": [{"name": "vdh", "path": "/dev/vdh", "type": "disk", "size": 268435456, "mountpoints": [null],
  "children": [
    {"name": "vdh1", "path": "/dev/vdh1", "type": "part", "size": 99999744, "mountpoints": ["/mnt"]},
    {"name": "vdh2", "path": "/dev/vdh2", "type": "part", "size": 99999744, "mountpoints": ["[SWAP]"]},
    {"name": "vdh3", "path": "/dev/vdh3", "type": "part", "size": 99999744, "mountpoints": [null],
     "children": [{"name": "vg-lv", "path": "/dev/mapper/vg-lv", "type": "lvm", "size": 9, "mountpoints": [null]}]}
  ]}]}
"""
NO_SIGNATURE = '{\n   "signatures": [\n\n   ]\n}\n'
EXT4 = """\
{"signatures": [
  {"device": "md127", "offset": "0x438", "type": "ext4", "uuid": "fd0c4905-ec55-44b7-8701-88c5beb92531", "label": null}
]}
"""
GPT = """\
{"signatures": [
  {"device": "vdh", "offset": "0x200", "type": "gpt", "uuid": null, "label": null},
  {"device": "vdh", "offset": "0xffffe00", "type": "gpt", "uuid": null, "label": null},
  {"device": "vdh", "offset": "0x1fe", "type": "PMBR", "uuid": null, "label": null}
]}
"""


def test_all_arrays_of_mdstat_are_found() -> None:
    assert kernel_names(REBUILDING) == ["md126", "md127"]
    assert kernel_names("Personalities : \nunused devices: <none>\n") == []


def test_an_array_is_known_by_its_name_without_the_host_and_by_its_uuid() -> None:
    row, data = arrays_in(REBUILDING, DETAILS)
    assert (row.name, row.path, row.level) == ("row", "/dev/md126", "linear")
    assert (data.name, data.path, data.level) == ("data", "/dev/md127", "raid10")
    assert data.uuid == "8deb85ec:5b7361a6:2bd07c78:1dd28530"


def test_a_failed_member_has_no_place_and_the_spare_that_is_being_filled_has_one() -> None:
    _, data = arrays_in(REBUILDING, DETAILS)
    assert set(data.members) == {
        Member("/dev/vdb", 0),
        Member("/dev/vdc", None, failed=True),
        Member("/dev/vdd", 2),
        Member("/dev/vde", 3),
        Member("/dev/vdf", 1),
    }
    assert data.in_sync == (True, False, True, True)
    assert data.degraded
    assert data.rebuilt_percent == 16.8


def test_an_array_without_redundancy_is_complete_whenever_it_runs() -> None:
    row, _ = arrays_in(REBUILDING, DETAILS)
    assert row.in_sync == (True, True)
    assert not row.degraded
    assert row.rebuilt_percent is None


def test_an_array_that_was_found_but_does_not_run_is_not_active() -> None:
    (array,) = arrays_in(INACTIVE, {"md0": "MD_LEVEL=raid1\nMD_DEVICES=2\nMD_NAME=machine:data\n"})
    assert not array.active
    assert array.name == "data"


def test_an_array_that_waits_for_its_first_write_runs() -> None:
    (array,) = arrays_in(
        "md0 : active (auto-read-only) raid1 vdc[1] vdb[0]\n      260096 blocks super 1.2 [2/2] [UU]\n",
        {"md0": "MD_LEVEL=raid1\nMD_DEVICES=2\n"},
    )
    assert array.active
    assert {member.path for member in array.members} == {"/dev/vdb", "/dev/vdc"}


def test_a_blank_disk_carries_nothing_and_nobody_uses_it() -> None:
    assert disk_in(BLANK, {"/dev/vdb": {}}, {}) == Disk("/dev/vdb", "disk", 268435456)


def test_a_disk_carries_what_it_and_its_partitions_hold_and_what_fstab_promises() -> None:
    signatures = {"/dev/vdh": signatures_in(GPT), "/dev/vdh1": {"xfs": "u"}, "/dev/vdh2": {}, "/dev/vdh3": {}}
    disk = disk_in(PARTITIONED, signatures, {"/dev/vdh": "/backup", "/dev/vdh3": "/old"})
    assert disk.carries == (
        "gpt",
        "PMBR",
        "a line of /etc/fstab for /backup",
        "partition /dev/vdh1 with xfs",
        "partition /dev/vdh2",
        "partition /dev/vdh3 with a line of /etc/fstab for /old",
    )
    assert disk.parts == ("/dev/vdh1", "/dev/vdh2", "/dev/vdh3")


def test_mounts_swap_and_holders_of_partitions_use_a_disk() -> None:
    signatures: dict[str, dict[str, str]] = {"/dev/vdh": {}, **{part: {} for part in parts_in(PARTITIONED)}}
    assert disk_in(PARTITIONED, signatures, {}).in_use == (
        "/dev/vdh1 is mounted at /mnt",
        "/dev/vdh2 is used as swap",
        "/dev/vdh3 is held by /dev/mapper/vg-lv (lvm)",
    )


def test_signatures_are_kinds_with_their_uuid() -> None:
    assert signatures_in(EXT4) == {"ext4": "fd0c4905-ec55-44b7-8701-88c5beb92531"}
    assert signatures_in(GPT) == {"gpt": "", "PMBR": ""}
    assert signatures_in(NO_SIGNATURE) == {}
    assert signatures_in("") == {}


def test_of_fstab_comments_and_broken_lines_do_not_count() -> None:
    text = "# UUID=a /old ext4\n\nUUID=b /data ext4 noatime 0 2\n/dev/vdb1\n/dev/vdc none swap sw 0 0\n"
    assert fstab_in(text) == {"UUID=b": "/data", "/dev/vdc": "none"}
