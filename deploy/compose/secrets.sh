#!/bin/sh
# What nobody else may know, made once: the master key of this installation, and PostgreSQL's password.
set -eu
umask 077
for file in /run/tidegate/master/key /run/tidegate/database/password; do
    [ -s $file ] || { od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > $file.new && mv $file.new $file; }
done
