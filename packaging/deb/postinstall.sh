#!/bin/sh
# Makes the user and the directories. Starts nothing: a server wants its configuration read first.
set -e
if ! getent passwd keephold >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/keephold --no-create-home --shell /usr/sbin/nologin keephold
fi
install -d -m 0700 -o keephold -g keephold /var/lib/keephold
install -d -m 0750 -o root -g keephold /etc/keephold
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
