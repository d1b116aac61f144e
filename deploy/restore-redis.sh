#!/bin/sh
# Makes of a backup (redis-cli --rdb) what an append-only Redis starts from. The server must be down:
#     sudo -u redis sh deploy/restore-redis.sh backup.rdb /var/lib/redis
# A server with appendonly yes reads no .rdb file, so another one reads it, on no port, and writes the append-only files.
# Nothing in the folder is touched before that has worked, and a failure puts the old files back. What the folder held
# before is kept in it, under before-restore.
set -eu
backup=$1
folder=$2
kept="$folder/before-restore"

fail() {
  echo "restore-redis: $1" >&2
  exit 1
}
[ -r "$backup" ] || fail "$backup cannot be read; nothing was changed."
[ ! -e "$kept" ] || fail "$kept is there from an earlier restore; move it away first. Nothing was changed."

work=$(mktemp -d "$folder/restoring.XXXXXX")
run=$(mktemp -d)
server=
moving=
tidy() {
  code=$?
  trap - EXIT
  [ -z "$server" ] || kill "$server" 2>/dev/null || :
  if [ -n "$moving" ] && [ "$code" -ne 0 ]; then
    rm -rf "$folder/appendonlydir"
    for old in "$kept"/*; do
      if [ -e "$old" ]; then mv "$old" "$folder/"; fi
    done
    rmdir "$kept"
  fi
  rm -rf "$work" "$run"
  exit "$code"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

cp "$backup" "$work/dump.rdb"
socket=$run/redis.sock
ask() { redis-cli -s "$socket" "$@" 2>/dev/null; }
redis-server --port 0 --unixsocket "$socket" --dir "$work" --save '' --appendonly no >"$run/log" 2>&1 &
server=$!
until [ "$(ask PING)" = PONG ]; do
  if ! kill -0 "$server" 2>/dev/null; then
    server=
    tail -n 20 "$run/log" >&2
    fail "$backup is no backup that Redis can read; nothing was changed."
  fi
  sleep 1
done
keys=$(ask DBSIZE)
[ "${keys:-0}" -gt 0 ] || fail "$backup is empty; nothing was changed."
ask CONFIG SET appendonly yes >/dev/null
until ask INFO persistence | grep -q '^aof_rewrite_in_progress:0'; do sleep 1; done
ask INFO persistence | grep -q '^aof_last_bgrewrite_status:ok' || fail "the append-only files cannot be written; nothing was changed."
ask SHUTDOWN >/dev/null || :
wait "$server" || :
server=
[ -d "$work/appendonlydir" ] || fail "the append-only files were not written; nothing was changed."

moving=yes
mkdir "$kept"
for old in appendonlydir dump.rdb; do
  if [ -e "$folder/$old" ]; then mv "$folder/$old" "$kept/"; fi
done
mv "$work/appendonlydir" "$folder/appendonlydir"
moving=
echo "restored $keys keys; what the folder held before is in $kept"
