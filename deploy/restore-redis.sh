#!/bin/sh
# Makes of a backup (redis-cli --rdb) what an append-only Redis starts from. The server must be down:
#     sudo -u redis sh deploy/restore-redis.sh backup.rdb /var/lib/redis
# A server with appendonly yes reads no .rdb file, so another one reads it, on no port, and writes the append-only files.
# What the folder held before is kept in it, under before-restore.
set -eu
backup=$1
folder=$2
kept="$folder/before-restore"
mkdir "$kept"
for old in appendonlydir dump.rdb; do
  if [ -e "$folder/$old" ]; then mv "$folder/$old" "$kept/"; fi
done
cp "$backup" "$folder/dump.rdb"

socket=$(mktemp -d)/redis.sock
ask() { redis-cli -s "$socket" "$@" 2>/dev/null; }
redis-server --port 0 --unixsocket "$socket" --dir "$folder" --save '' --appendonly no &
server=$!
until [ "$(ask PING)" = PONG ]; do
  kill -0 "$server" # or the backup cannot be read, and it has said why
  sleep 1
done
ask CONFIG SET appendonly yes
until ask INFO persistence | grep -q '^aof_rewrite_in_progress:0'; do sleep 1; done
ask INFO persistence | grep -q '^aof_last_bgrewrite_status:ok'
ask DBSIZE
ask SHUTDOWN
wait "$server"
rm "$folder/dump.rdb"
