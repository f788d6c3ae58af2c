#!/bin/sh
# Managed by Ansible. Writes metrics of arrays for a collector of text files: broker-py-raid-metrics DIRECTORY NAME...
set -eu

directory=$1
shift
# The collector reads *.prom only, and renaming is atomic: it never sees half a file.
temporary=$(mktemp "$directory/.broker_py_raid.XXXXXX")
trap 'rm -f "$temporary"' EXIT

{
    echo "# HELP broker_py_raid_active Whether the array is there."
    echo "# TYPE broker_py_raid_active gauge"
    for name in "$@"; do
        active=0
        [ ! -e "/dev/md/$name" ] || active=1
        echo "broker_py_raid_active{array=\"$name\"} $active"
    done
    echo "# HELP broker_py_raid_missing_members Members that the array lacks, or that don't have all data yet."
    echo "# TYPE broker_py_raid_missing_members gauge"
    for name in "$@"; do
        state=/sys/block/$(basename "$(readlink -f "/dev/md/$name")")/md/degraded
        [ ! -e "$state" ] || echo "broker_py_raid_missing_members{array=\"$name\"} $(cat "$state")"
    done
} > "$temporary"
chmod 0644 "$temporary"
mv "$temporary" "$directory/broker_py_raid.prom"
