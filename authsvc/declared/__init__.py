"""What an installation should be, as one text: read from it (`authsvc export`), compared (`diff`), and made so (`apply`).

The objects in it are those of the API, without ids and times: names mean the same everywhere.
"""
