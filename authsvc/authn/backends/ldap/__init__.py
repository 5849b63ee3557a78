"""People from LDAP directories and Active Directory: search-then-bind (RFC 4511), groups, try-as-user."""
