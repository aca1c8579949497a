"""The wire of the simulated Windows host: WS-Management over HTTP as the published specifications describe it.

A simulation: nothing here is Windows. ``codes`` faults with their published numbers, ``soap`` envelopes, ``identity`` who calls
and with which rights, ``door`` authentication, ``sealing`` message encryption, ``listener`` HTTP, ``shells`` the remote shell,
``prompt`` cmd.exe, ``remoting`` PowerShell remoting, ``trouble`` faults on request. Sources: [MS-WSMV], [MS-PSRP], DSP0226,
RFC 4559, RFC 5929; error numbers as the headers of the Windows SDK publish them. What none of them says is marked "not confirmed".
"""
