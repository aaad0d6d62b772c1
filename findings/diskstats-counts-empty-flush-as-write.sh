#!/usr/bin/env bash
# A flush without data, which is what fsync of a disk with nothing left to write is,
# counts twice in /proc/diskstats: as a flush, and as a write of 0 sectors. iostat
# therefore shows writes of a disk that was only told to flush, and their average
# size is too small. The guess would be that fields 4 and 5 of the writes count what
# was written, since flushes have fields of their own.
#
# Seen with Linux 5.10, 6.12, 6.18 and 7.3. Needs root, losetup and dd. Output:
#
#     1 flush: writes completed +1, sectors written +0, flushes completed +1
#
# Ends with 1 if that changes.
set -euo pipefail
image=$(mktemp)
truncate -s 1M "$image"
disk=$(losetup --find --show "$image")
trap 'losetup -d "$disk"; rm -f "$image"' EXIT
fields() { awk -v disk="${disk#/dev/}" '$3 == disk { print $8, $10, $19 }' /proc/diskstats; }

read -r writes sectors flushes < <(fields)
dd if=/dev/null of="$disk" conv=fsync,notrunc status=none
read -r writes2 sectors2 flushes2 < <(fields)
said="1 flush: writes completed +$((writes2 - writes)), sectors written +$((sectors2 - sectors)), flushes completed +$((flushes2 - flushes))"
echo "$said"
[ "$said" = "1 flush: writes completed +1, sectors written +0, flushes completed +1" ]
