"""The names of types as scripts write them, and which exception is derived from which."""

from __future__ import annotations

from tests.lab.windows.powershell.values import (
    Byte,
    ErrorRecord,
    Int16,
    Int64,
    SByte,
    Terminating,
    UInt16,
    UInt32,
    UInt64,
)

INTEGERS: dict[str, type] = {
    "System.SByte": SByte,
    "System.Byte": Byte,
    "System.Int16": Int16,
    "System.UInt16": UInt16,
    "System.Int32": int,
    "System.UInt32": UInt32,
    "System.Int64": Int64,
    "System.UInt64": UInt64,
}


INTEGER_NAMES = {kind: name for name, kind in INTEGERS.items()}


ACCELERATORS = {
    "int": "System.Int32",
    "int32": "System.Int32",
    "long": "System.Int64",
    "int64": "System.Int64",
    "int16": "System.Int16",
    "short": "System.Int16",
    "uint16": "System.UInt16",
    "uint32": "System.UInt32",
    "uint64": "System.UInt64",
    "byte": "System.Byte",
    "sbyte": "System.SByte",
    "bool": "System.Boolean",
    "boolean": "System.Boolean",
    "string": "System.String",
    "char": "System.Char",
    "double": "System.Double",
    "float": "System.Single",
    "single": "System.Single",
    "decimal": "System.Decimal",
    "datetime": "System.DateTime",
    "datetimeoffset": "System.DateTimeOffset",
    "timespan": "System.TimeSpan",
    "guid": "System.Guid",
    "uri": "System.Uri",
    "version": "System.Version",
    "regex": "System.Text.RegularExpressions.Regex",
    "ipaddress": "System.Net.IPAddress",
    "object": "System.Object",
    "array": "System.Array",
    "void": "System.Void",
    "hashtable": "System.Collections.Hashtable",
    "ordered": "System.Collections.Specialized.OrderedDictionary",
    "pscustomobject": "System.Management.Automation.PSCustomObject",
    "psobject": "System.Management.Automation.PSObject",
    "scriptblock": "System.Management.Automation.ScriptBlock",
    "switch": "System.Management.Automation.SwitchParameter",
    "switchparameter": "System.Management.Automation.SwitchParameter",
    "pscredential": "System.Management.Automation.PSCredential",
    "securestring": "System.Security.SecureString",
    "type": "System.Type",
    "math": "System.Math",
    "convert": "System.Convert",
    "ref": "System.Management.Automation.PSReference",
    "exception": "System.Exception",
    "xml": "System.Xml.XmlDocument",
    "ciminstance": "Microsoft.Management.Infrastructure.CimInstance",
    "cimsession": "Microsoft.Management.Infrastructure.CimSession",
    "timezoneinfo": "System.TimeZoneInfo",
    "psmoduleinfo": "System.Management.Automation.PSModuleInfo",
    "void ": "System.Void",
}


OTHER_TYPES = [
    "System.Console",
    "System.Environment",
    "System.BitConverter",
    "System.DayOfWeek",
    "System.Net.Dns",
    "System.IO.File",
    "System.IO.Directory",
    "System.IO.Path",
    "System.IO.FileInfo",
    "System.IO.DirectoryInfo",
    "System.Collections.ArrayList",
    "System.Collections.Generic.List",
    "System.Collections.Generic.Dictionary",
    "System.Collections.Generic.HashSet",
    "System.Collections.Generic.Queue",
    "System.Collections.Generic.Stack",
    "System.Collections.Queue",
    "System.Collections.Stack",
    "System.Collections.IDictionary",
    "System.Collections.IEnumerable",
    "System.Collections.Specialized.OrderedDictionary",
    "System.Text.StringBuilder",
    "System.Text.Encoding",
    "System.Text.UTF8Encoding",
    "System.Text.UnicodeEncoding",
    "System.Text.ASCIIEncoding",
    "System.Diagnostics.Stopwatch",
    "System.Diagnostics.Process",
    "System.Security.Cryptography.SHA256",
    "System.Security.Cryptography.SHA1",
    "System.Security.Cryptography.SHA512",
    "System.Security.Cryptography.MD5",
    "System.Security.Principal.WindowsIdentity",
    "System.Security.Principal.WindowsPrincipal",
    "System.Security.Principal.WindowsBuiltInRole",
    "System.Security.Principal.SecurityIdentifier",
    "System.Security.Principal.NTAccount",
    "System.Management.Automation.ErrorRecord",
    "System.Management.Automation.ErrorCategory",
    "System.StringComparison",
    "System.StringSplitOptions",
    "System.Globalization.CultureInfo",
    "System.Globalization.DateTimeStyles",
    "System.DateTimeKind",
    "System.Text.RegularExpressions.RegexOptions",
    "System.ServiceProcess.ServiceControllerStatus",
    "System.ServiceProcess.ServiceController",
    "System.ServiceProcess.ServiceStartMode",
    "Microsoft.Win32.Registry",
    "Microsoft.Win32.RegistryHive",
    "Microsoft.Win32.RegistryView",
    "Microsoft.Win32.RegistryKey",
    "System.Net.Sockets.TcpClient",
    "System.Net.Sockets.AddressFamily",
    "System.Threading.Thread",
    "System.GC",
    "System.Random",
    "System.Security.AccessControl.RawSecurityDescriptor",
    "System.Security.AccessControl.CommonSecurityDescriptor",
    "System.Security.AccessControl.FileSystemAccessRule",
    "System.Threading.Mutex",
]


EXCEPTION_BASES = {
    "System.SystemException": "System.Exception",
    "System.Management.Automation.RuntimeException": "System.SystemException",
    "System.Management.Automation.ParseException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ParentContainsErrorRecordException": "System.SystemException",
    "System.Management.Automation.CommandNotFoundException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ParameterBindingException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ParameterBindingValidationException": "System.Management.Automation.ParameterBindingException",
    "System.Management.Automation.ParameterBindingArgumentTransformationException": "System.Management.Automation.ParameterBindingException",
    "System.Management.Automation.MethodException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.MethodInvocationException": "System.Management.Automation.MethodException",
    "System.Management.Automation.ExtendedTypeSystemException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.SetValueException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.SetValueInvocationException": "System.Management.Automation.SetValueException",
    "System.Management.Automation.PropertyNotFoundException": "System.Management.Automation.ExtendedTypeSystemException",
    "System.Management.Automation.PSInvalidCastException": "System.InvalidCastException",
    "System.Management.Automation.PSArgumentException": "System.ArgumentException",
    "System.Management.Automation.PSArgumentNullException": "System.ArgumentNullException",
    "System.Management.Automation.PSInvalidOperationException": "System.InvalidOperationException",
    "System.Management.Automation.PSNotSupportedException": "System.NotSupportedException",
    "System.Management.Automation.PSSecurityException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.SessionStateException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ItemNotFoundException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.DriveNotFoundException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.SessionStateUnauthorizedAccessException": "System.Management.Automation.SessionStateException",
    "System.Management.Automation.ActionPreferenceStopException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.RemoteException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ScriptRequiresException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.Host.HostException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.CmdletInvocationException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.Remoting.PSRemotingTransportException": "System.Management.Automation.RuntimeException",
    "System.Management.Automation.ValidationMetadataException": "System.Management.Automation.MetadataException",
    "System.Management.Automation.MetadataException": "System.Management.Automation.RuntimeException",
    "Microsoft.PowerShell.Commands.WriteErrorException": "System.SystemException",
    "Microsoft.PowerShell.Commands.ServiceCommandException": "System.SystemException",
    "Microsoft.PowerShell.Commands.ProcessCommandException": "System.SystemException",
    "Microsoft.Management.Infrastructure.CimException": "System.Exception",
    "Microsoft.PowerShell.Cmdletization.Cim.CimJobException": "System.SystemException",
    "System.ArgumentException": "System.SystemException",
    "System.ArgumentNullException": "System.ArgumentException",
    "System.ArgumentOutOfRangeException": "System.ArgumentException",
    "System.InvalidCastException": "System.SystemException",
    "System.InvalidOperationException": "System.SystemException",
    "System.NotSupportedException": "System.SystemException",
    "System.NotImplementedException": "System.SystemException",
    "System.FormatException": "System.SystemException",
    "System.OverflowException": "System.ArithmeticException",
    "System.DivideByZeroException": "System.ArithmeticException",
    "System.ArithmeticException": "System.SystemException",
    "System.IndexOutOfRangeException": "System.SystemException",
    "System.NullReferenceException": "System.SystemException",
    "System.TimeoutException": "System.SystemException",
    "System.UnauthorizedAccessException": "System.SystemException",
    "System.OperationCanceledException": "System.SystemException",
    "System.IO.IOException": "System.SystemException",
    "System.IO.FileNotFoundException": "System.IO.IOException",
    "System.IO.DirectoryNotFoundException": "System.IO.IOException",
    "System.IO.DriveNotFoundException": "System.IO.IOException",
    "System.IO.PathTooLongException": "System.IO.IOException",
    "System.Security.SecurityException": "System.SystemException",
    "System.Security.Authentication.AuthenticationException": "System.SystemException",
    "System.Collections.Generic.KeyNotFoundException": "System.SystemException",
    "System.ComponentModel.Win32Exception": "System.Runtime.InteropServices.ExternalException",
    "System.Runtime.InteropServices.ExternalException": "System.SystemException",
    "System.Runtime.InteropServices.COMException": "System.Runtime.InteropServices.ExternalException",
    "System.ServiceProcess.TimeoutException": "System.SystemException",
    "System.Management.ManagementException": "System.SystemException",
    "System.Net.Sockets.SocketException": "System.ComponentModel.Win32Exception",
    "System.Net.WebException": "System.InvalidOperationException",
}


KNOWN = {
    name.casefold(): name
    for name in [*ACCELERATORS.values(), *OTHER_TYPES, *EXCEPTION_BASES, *EXCEPTION_BASES.values()]
}


def resolve_type(name: str) -> str | None:
    """The full name of a type as a script wrote it, or None."""
    if name.endswith("[]"):
        inner = resolve_type(name[:-2])
        return None if inner is None else inner + "[]"
    if "[" in name:
        outer, _, inner = name.partition("[")
        parts = [resolve_type(part) for part in inner.removesuffix("]").split(",")]
        whole = resolve_type(outer.split("`")[0])
        return None if whole is None or None in parts else f"{whole}[{','.join(str(part) for part in parts)}]"
    folded = name.casefold()
    if folded in ACCELERATORS:
        return ACCELERATORS[folded]
    return KNOWN.get(folded) or KNOWN.get("system." + folded) or KNOWN.get("system.management.automation." + folded)


def type_not_found(name: str) -> Terminating:
    """Unable to find a type."""
    return Terminating(ErrorRecord("TypeNotFound", f"Unable to find type [{name}].", "InvalidOperation", name))


def bases_of(name: str) -> list[str]:
    """A class and the classes it is derived from, as far as known."""
    chain = [name]
    while (base := EXCEPTION_BASES.get(chain[-1])) is not None:
        chain.append(base)
    return [*chain, "System.Object"]
