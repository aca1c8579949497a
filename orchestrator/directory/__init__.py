"""Active Directory over LDAP: read, written on condition, paged, awaited. It knows no application and takes no decision.

Words. A *controller* is a domain controller. A *session* (``Directory``) talks to one controller for as long as it lives, so
that a change is made in one place and a duplicate cannot come of two controllers. The *access* says how to get in; secrets are
named by file, never held.

Invariants. Nothing travels unsealed: Kerberos with sealing, or LDAPS whose certificate was verified; a password is used for a
simple bind over the latter only. A value that was read is deleted by name, so that a write fails when somebody changed it
meanwhile. Of a listing one page is in memory. Library errors end in this room: callers see ``errors.DirectoryError``.

Sources: RFC 4511 (LDAP), RFC 2696 (paging), RFC 4752 (GSSAPI and sealing), [MS-ADTS] 3.1.1.3 (rootDSE, controls), [MS-DTYP] 2.4
(SID, ACE, ACL, security descriptor).
"""
