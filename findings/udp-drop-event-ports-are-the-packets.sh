#!/usr/bin/env bash
# The fields sport and dport of the tracepoint udp:udp_fail_queue_rcv_skb are the
# packet's: dport is the port of the socket that had no room, sport that of the sender.
# Linux 5.10 has one field, lport, the socket's port. The guess would be that
# sport is lport under its new name, as it is the local port in tcp:tcp_retransmit_skb.
#
# Seen with Linux 6.18 and 7.3 (sport, dport), 5.10 (lport). Needs root and perl. Output:
#
#     the socket has port 7077, the sender 7078: sport 7078, dport 7077
#
# Ends with 1 if that changes, and with 2 where the event has no such fields.
set -euo pipefail
tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
grep -q dport $tracing/events/udp/udp_fail_queue_rcv_skb/format || { echo "this kernel has lport"; exit 2; }
instance=$tracing/instances/finding.$$
mkdir "$instance"
trap 'echo 0 >"$instance/events/enable"; rmdir "$instance"' EXIT
echo 1 >"$instance/events/udp/udp_fail_queue_rcv_skb/enable"
perl -MSocket -e '
  my ($server, $client);
  socket($server, AF_INET, SOCK_DGRAM, 0) or die $!;
  setsockopt($server, SOL_SOCKET, SO_RCVBUF, 1) or die $!;
  bind($server, sockaddr_in(7077, INADDR_LOOPBACK)) or die $!;
  socket($client, AF_INET, SOCK_DGRAM, 0) or die $!;
  bind($client, sockaddr_in(7078, INADDR_LOOPBACK)) or die $!;
  send($client, "x" x 100, 0, sockaddr_in(7077, INADDR_LOOPBACK)) for 1 .. 100;
'
# rc=-12 family=AF_INET src=127.0.0.1:7078 dest=127.0.0.1:7077
ports=$(sed -n 's/.*src=[^ ]*:\([0-9]*\) dest=[^ ]*:\([0-9]*\).*/sport \1, dport \2/p' "$instance/trace" | sort -u | grep -w 7077)
echo "the socket has port 7077, the sender 7078: $ports"
[ "$ports" = "sport 7078, dport 7077" ]
