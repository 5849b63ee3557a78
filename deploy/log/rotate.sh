#!/bin/sh
# What rsyslog calls when a file has become large enough.
exec /usr/sbin/logrotate --state /var/log/tidegate/.rotated /etc/tidegate/logrotate.conf
