#!/bin/sh
# Stops the server on removal, not on upgrade. The store stays where it is, whatever happens to the package.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now keephold.service || true
fi
