"""Backups: all that an installation is, encrypted for whoever is to bring it back, in a directory of its own for each.

<directory>/20261129T064500Z/about.json     what it is, in clear
archive.age    database, master key, settings, links of the registry's repositories
blobs.gz       which blobs belong to it
<directory>/blobs/<whom for>/sha256/ab/...  each blob once, for all backups
"""
